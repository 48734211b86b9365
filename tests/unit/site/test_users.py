"""Entries of a list of users."""

from __future__ import annotations

from datetime import date

import pytest

from migrid.site.errors import EntriesError
from migrid.site.users import Expiry, UserEntry, parse_entries

ADA = {"full_name": "Ada Example", "email": "ada@example.org"}
ADA_ID = "/C=NA/ST=NA/L=NA/O=NA/OU=NA/CN=Ada Example/emailAddress=ada@example.org"
BO = {"full_name": "Bo Example", "email": "bo@example.org"}


def problems(*entries: object) -> list[str]:
    with pytest.raises(EntriesError) as caught:
        parse_entries(entries)
    return caught.value.problems


def test_what_is_left_out_is_not_asked_for() -> None:
    (entry,) = parse_entries([{**ADA, "comment": None}])
    assert entry.client_id == ADA_ID
    assert (entry.alias, entry.password, entry.public_keys, entry.expire, entry.comment) == (None,) * 5
    assert entry.state == "present"


def test_a_distinguished_name_says_the_same_as_its_fields() -> None:
    assert parse_entries([{"distinguished_name": ADA_ID}])[0].name == parse_entries([ADA])[0].name


@pytest.mark.parametrize(
    ("given", "day"), [("2027-12-31", date(2027, 12, 31)), (date(2027, 1, 2), date(2027, 1, 2)), ("", None)]
)
def test_expiry(given: object, day: date | None) -> None:
    assert parse_entries([{**ADA, "expire": given}])[0].expire == Expiry(day)


@pytest.mark.parametrize(
    ("fields", "field", "reason"),
    [
        ({"expire": "31/12/27"}, "expire", "'31/12/27' is not a date; write YYYY-MM-DD"),
        ({"expire": "2027-02-30"}, "expire", "is not a date"),
        ({"expire": 20271231}, "expire", "is not a date"),
        ({"passwort": "x"}, "passwort", "is unknown; did you mean 'password'?"),
        ({"shoe_size": 7}, "shoe_size", "is unknown; known are distinguished_name"),
        ({"country": False}, "country", "YAML reads an unquoted NO"),
        ({"alias": 12345}, "alias", "a number is not text; put it in quotes"),
        ({"alias": "a/b"}, "alias", "cannot be a login"),
        ({"state": "gone"}, "state", "write present, absent, suspended"),
        ({"remove_data": "yes"}, "remove_data", "is not true or false"),
        ({"remove_data": True}, "remove_data", "needs 'state: absent'"),
        ({"public_keys": "ssh-ed25519 AAAA"}, "public_keys", "is not a list"),
        ({"public_keys": ["x"] * 101}, "public_keys", "at most 100"),
        ({"comment": "x" * 5000}, "comment", "at most 1024"),
        ({"password": ""}, "password", "is empty"),
        ({"distinguished_name": ADA_ID}, "distinguished_name", "says the same as full_name, email"),
        ({"previous_distinguished_name": ADA_ID}, "previous_distinguished_name", "leave it out"),
        ({"previous_distinguished_name": "ada"}, "previous_distinguished_name", "cannot be read"),
        ({"full_name": "x" * 5000}, "full_name", "at most 64"),
        ({"login_methods": []}, "login_methods", "is no list of methods; write one, or 'all' for all that"),
        ({"login_methods": "migcert"}, "login_methods", "is no list of methods"),
        (
            {"login_methods": ["migcert", "password"]},
            "login_methods",
            "'password' is not a method; write some of migcert",
        ),
        ({"services": ["sftp"]}, "services", "is not a mapping of services"),
        ({"services": {"ssh": {}}}, "services", "'ssh' is not a service; write web, sftp, ftps, davs"),
        ({"services": {"sftp": False}}, "services.sftp", "is not a mapping of password, password_hash, public_keys"),
        ({"services": {"sftp": {"enable": True}}}, "services.sftp.enable", "is unknown; did you mean 'enabled'?"),
        ({"services": {"sftp": {"enabled": "no"}}}, "services.sftp.enabled", "is not true or false"),
        ({"services": {"sftp": {"password": 12345678}}}, "services.sftp.password", "a number is not text"),
        ({"services": {"sftp": {"public_keys": ["x"]}}}, "services.sftp.public_keys", "not an accepted type of key"),
    ],
)
def test_wrong_fields(fields: dict[str, object], field: str, reason: str) -> None:
    (problem,) = problems({**ADA, **fields})
    assert f": field '{field}': " in problem
    assert reason in problem
    assert len(problem) < 500


def test_secrets_are_not_shown() -> None:
    found = problems(
        {**ADA, "password": ["geheim"]},
        {**BO, "password_hash": "geheim"},
        {**ADA, "email": "a@example.org", "password": "geheim", "password_hash": "$6$geheim$" + "x" * 86},
    )
    assert len(found) == 3
    assert "geheim" not in "".join(found)
    assert "geheim" not in repr(UserEntry.from_dict({**ADA, "password": "geheim"}, "here"))


def test_secrets_of_services_are_not_shown() -> None:
    both = {"password": "geheim", "password_hash": "$6$geheim$" + "x" * 86}
    found = problems({**ADA, "services": {"sftp": both}}, {**BO, "services": {"davs": {"password_hash": "geheim"}}})
    assert found[0].endswith("field 'services.sftp.password_hash': excludes 'password'; give one of them")
    assert "field 'services.davs.password_hash': is not a crypt(3) hash" in found[1]
    assert "geheim" not in "".join(found)
    (entry,) = parse_entries([{**ADA, "services": {"sftp": {"password": "geheim"}}}])
    assert "geheim" not in repr((entry, entry.services))


def test_services_and_login_methods() -> None:
    (entry,) = parse_entries(
        [
            {
                **ADA,
                "login_methods": ["extoidc", "migcert", "extoidc"],
                "services": {"sftp": {"enabled": False}, "web": None},
            }
        ]
    )
    assert entry.login_methods == ("migcert", "extoidc")
    assert list(entry.services) == ["sftp"]
    assert (entry.services["sftp"].enabled, entry.services["sftp"].password) == (False, None)
    assert parse_entries([{**ADA, "login_methods": "all"}])[0].login_methods == ()


def test_all_that_is_wrong_is_said_at_once() -> None:
    found = problems({**ADA, "expire": "soon", "state": 1}, BO, 7, {"full_name": "Cy Example"})
    assert [problem.partition(":")[0] for problem in found] == [
        "mig_users[0] (Ada Example)",
        "mig_users[0] (Ada Example)",
        "mig_users[2]",
        "mig_users[3] (Cy Example)",
    ]


def test_one_user_named_twice() -> None:
    (problem,) = problems(ADA, BO, {"distinguished_name": ADA_ID, "alias": "other"})
    assert "mig_users[2]" in problem
    assert "the same user as mig_users[0] (Ada Example)" in problem


def test_a_previous_name_that_is_also_wanted() -> None:
    (problem,) = problems(ADA, {**BO, "previous_distinguished_name": ADA_ID})
    assert "names the same user as mig_users[0]" in problem


def test_one_alias_of_two_users() -> None:
    (problem,) = problems(ADA, {**BO, "alias": "ADA@example.org"})
    assert problem.startswith(
        "mig_users[1] (Bo Example): field 'alias': 'ada@example.org' is also that of mig_users[0]"
    )


def test_a_removed_user_frees_the_alias() -> None:
    assert len(parse_entries([{**ADA, "state": "absent"}, {**BO, "alias": "ada@example.org"}])) == 2


def test_equal_names_with_different_e_mail_are_two_users() -> None:
    one, other = parse_entries([ADA, {**ADA, "email": "ada2@example.org"}])
    assert one.client_id != other.client_id


def test_an_empty_list_is_fine() -> None:
    assert parse_entries([]) == []
