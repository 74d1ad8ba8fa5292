"""What is one's own: others see none of it through these routes, and end it only if they may edit the account."""

import pytest

from accounts.models import ApiToken
from tests.doors import cast


@pytest.fixture
def tokens(ana, ben):
    """A token of each, and the clients that send it."""
    made = {user.username: cast.token_of(user) for user in (ana, ben)}
    clients = {name: cast.client_with(bearer=secret) for name, (_, secret) in made.items()}
    return {name: token for name, (token, _) in made.items()}, clients


def test_nobody_sees_the_tokens_of_others(tokens):
    own, clients = tokens
    listed = {
        name: [row["id"] for row in client.get("/api/v1/tokens/").json()["results"]] for name, client in clients.items()
    }
    assert listed == {name: [str(token.pk)] for name, token in own.items()}


def test_nobody_revokes_the_token_of_somebody_whose_account_they_may_not_edit(tokens):
    own, clients = tokens
    assert clients["ben"].delete(f"/api/v1/tokens/{own['ana'].pk}/").status_code == 404
    assert ApiToken.objects.filter(pk=own["ana"].pk, revoked_at=None).exists()


@pytest.mark.parametrize("who", ["ana", "ben"])
def test_a_token_is_revoked_by_its_owner_and_by_an_administrator(tokens, who):
    own, clients = tokens
    assert clients[who].delete(f"/api/v1/tokens/{own['ben'].pk}/").status_code == 204
    assert clients["ben"].get("/api/v1/me/").status_code == 401
