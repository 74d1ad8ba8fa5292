"""The deployment files of the Rasa servers: specs → texts. Pure: reads nothing, writes nothing, asks nobody.

`generating.generate` gives the services of docker-compose.override.yml, and each one's endpoints.yml and
credentials.yml; `override.merge` puts the services into the file beside what was written there by hand.
"""
