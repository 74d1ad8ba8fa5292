"""How passwords are stored."""

from django.contrib.auth.hashers import Argon2PasswordHasher


class Argon2(Argon2PasswordHasher):
    """Argon2id with the parameters that OWASP gives for a server that signs in many (Password Storage Cheat Sheet):
    Django's own take 100 MiB for each sign-in."""

    time_cost = 2
    memory_cost = 19 * 1024
    parallelism = 1
