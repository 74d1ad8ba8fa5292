"""The styleguide is for who builds pages, and nowhere else."""


def test_it_is_there_only_where_it_is_asked_for(client, settings, db):
    assert client.get("/styleguide/").status_code == 404
    settings.STYLEGUIDE = True
    answer = client.get("/styleguide/")
    assert answer.status_code == 200
    assert "{%" not in answer.text
