"""What lines of other desks say, in our words: who is a person of the app, and what is known of them."""

import io
from pathlib import Path

import pytest

from service.model.contacts import Contact
from service.model.errors import BadFile
from service.moving import cells
from service.moving.cells import read_cells
from service.moving.files import SourceFile
from service.moving.reading import MAX_LINE
from service.moving.sources.source import Ours
from service.rules.records import Named, Who
from tests.support.cases import cases
from tests.support.pages import HERE

EXAMPLES = HERE / "deploy" / "examples"
LONG = 10 * 2**20


def entries(text, source="csv", mapped=(), **options):
    """Return what a file with this text is read as."""
    data = text if isinstance(text, bytes) else text.encode()
    return list(SourceFile(io.BytesIO(data), "app", source, dict(mapped), **options).read())


def records(text, source="csv", **options):
    """Return what is said of people, without conversations."""
    return [entry.record for entry in entries(text, source, **options) if entry.spoken is None]


def claims(text, source="csv", **options):
    """Return the user ID, the email and the name on each line."""
    found = [record.known.claim for record in records(text, source, **options)]
    return [(claim.user_id, claim.email, claim.name) for claim in found]


def complaints(text, source="csv", **options):
    return {
        entry.number: entry.complaint or entry.record.why
        for entry in entries(text, source, **options)
        if entry.complaint or entry.record.why
    }


def ignored(record):
    return [(error.pointer, error.code) for error in record.known.ignored]


def example(name, **options):
    path = Path(EXAMPLES / name)
    return records(path.read_bytes(), path.stem, **options)


@cases(
    "name, expected",
    ("chatwoot.csv", "chatwoot.csv", ["user_id", "user_id", "unproven_email", "nothing", "gone user_id"]),
    ("chatwoot.jsonl", "chatwoot.jsonl", ["user_id", "user_id", "unproven_email"]),
    ("intercom.csv", "intercom.csv", ["user_id", "user_id", "lead user_id"]),
    ("intercom.jsonl", "intercom.jsonl", ["user_id", "user_id", "lead user_id", "unproven_email"]),
    (
        "zendesk.jsonl",
        "zendesk.jsonl",
        ["user_id", "email", "unproven_email", "agent user_id", "gone email", "gone nothing"],
    ),
    ("helpshift.jsonl", "helpshift.jsonl", ["user_id", "user_id", "unproven_email"]),
    ("revenuecat.csv", "revenuecat.csv", ["user_id", "user_id", "user_id", "anonymous_id"]),
    ("revenuecat.jsonl", "revenuecat.jsonl", ["user_id", "user_id", "anonymous_id"]),
)
def test_each_desks_people_are_told_from_its_leads_and_agents(name, expected):
    found = [
        " ".join(one.name.lower() for one in (record.who, record.named) if one is not Who.END_USER)
        for record in example(name)
    ]

    assert found == expected


@cases(
    "name, attributes",
    ("chatwoot.csv", "chatwoot.csv", {}),
    ("chatwoot.jsonl", "chatwoot.jsonl", {"plan": "pro", "seats": 5}),
    ("intercom.csv", "intercom.csv", {"plan": "pro"}),
    (
        "intercom.jsonl",
        "intercom.jsonl",
        {"unsubscribed_from_emails": False, "plan": "pro", "paid": True},
    ),
    (
        "zendesk.jsonl",
        "zendesk.jsonl",
        {"time_zone": "Berlin", "locale": "de", "plan": "pro", "seats": 5},
    ),
    ("helpshift.jsonl", "helpshift.jsonl", {}),
    ("revenuecat.csv", "revenuecat.csv", {}),
    ("revenuecat.jsonl", "revenuecat.jsonl", {"$email": "jane@example.org", "plan": "pro"}),
)
def test_what_is_known_of_jane_is_the_same_wherever_she_comes_from(name, attributes):
    jane = example(name, trusts_emails=True)[0].known

    has_contact = not name.startswith("revenuecat")
    assert jane.claim.user_id == "u-17"
    assert jane.claim.email == ("jane@example.org" if has_contact else None)
    assert jane.claim.name == ("Jane Doe" if has_contact else None)
    assert jane.contact == Contact(phone="+12025550101" if has_contact else None)
    assert jane.claim.attributes == attributes
    assert jane.ignored == ()
    assert 1706600000000 < jane.created_at < 1706800000000


def test_an_email_that_nobody_proved_is_a_contact_and_names_nobody():
    text = "identifier,phone_number,email\nu-1,,jane@example.org\n"

    (unproven,), (trusted,) = records(text, "chatwoot"), records(text, "chatwoot", trusts_emails=True)

    assert (unproven.known.claim.email, unproven.known.contact.email) == (None, "jane@example.org")
    assert ignored(unproven) == [("/email", "unproven")]
    assert (trusted.known.claim.email, trusted.known.contact.email) == ("jane@example.org", None)


def test_a_name_may_stand_in_parts():
    text = "user_id,First Name,surname\nu-1,Jane,Doe\nu-2,,Roe\nu-3,,\n"

    assert [name for _, _, name in claims(text)] == ["Jane Doe", "Roe", None]


@cases(
    "value, why",
    ("a placeholder", "null", "This is what broken clients send in place of a user ID."),
    ("white space", " u-1", "A user ID neither begins nor ends with white space."),
    ("a number that a spreadsheet rounded", "1.23457E+15", "A spreadsheet has rounded this number"),
)
def test_a_user_id_that_is_none_is_refused_whatever_stands_beside_it(value, why):
    (record,) = records(f"user_id,email\n{value},jane@example.org\n")

    assert record.named is Named.UNUSABLE
    assert record.why.startswith(why)


def test_only_text_is_a_user_id_a_name_or_a_phone_number():
    number, others = records(
        '{"external_id": 17}\n{"external_id": "u-1", "name": 1, "phone": 2, "signed_up_at": "yesterday"}\n',
        "intercom",
    )

    assert number.why == "This is a JSON string."
    assert ignored(others) == [
        ("/name", "not-a-string"),
        ("/phone", "not-a-string"),
        ("/createdAt", "invalid-time"),
    ]


def test_what_cant_be_used_beside_a_user_id_is_left_out():
    (record,) = records(f"user_id,email,phone,created,plan\nu-1,n/a,n/a,31/12/2024,{'x' * 1001}\n")

    assert record.known.claim.user_id == "u-1"
    assert ignored(record) == [
        ("/email", "invalid-email"),
        ("/phone", "invalid-phone"),
        ("/createdAt", "invalid-time"),
        ("/attributes/plan", "too-long"),
    ]


def test_an_email_that_is_none_names_nobody():
    assert complaints("email\nn/a\n") == {2: "This is not an email address that mail can be sent to."}


@cases(
    "text, expected",
    ("seconds", "1706781600", 1706781600000),
    ("milliseconds", "1706781600123", 1706781600123),
    ("a day", "2024-02-01", 1706745600000),
    ("as Ruby writes it", "2024-02-01 10:00:00 UTC", 1706781600000),
    ("with a zone", "2024-02-01T10:00:00+01:00", 1706778000000),
    ("long ago", "1066-10-14", 0),
)
def test_times_are_read_as_desks_write_them(text, expected):
    (record,) = records(f"user_id,created_at\nu-1,{text}\n")

    assert record.known.created_at == expected


def test_columns_that_mean_nothing_are_attributes_if_they_can_be_called_so():
    heading = "user_id,Favourite colour,attributes.size,名前"
    (record,) = records(f"{heading}\nu-1,red,XL,x\n")

    assert record.known.claim.attributes == {"Favourite_colour": "red", "size": "XL"}


def test_a_column_is_what_an_operator_maps_it_to():
    text = "Number,user_id,name\nu-17,their own,Jane\n"
    (record,) = records(text, mapped={"Number": Ours.USER_ID})

    assert record.known.claim.user_id == "u-17"
    assert record.known.claim.attributes == {"user_id": "their own"}


@cases(
    "text, mapped, why",
    ("nobody is named", "name\nJane\n", {}, "no column is a user ID or an email: name one with --map"),
    ("there is none", "email\n", {"Mail": Ours.EMAIL}, "there is no column Mail; there are: email"),
    ("two are one", "user_id,external_id\n", {}, "these columns are both user_id: user_id, external_id"),
    ("it is empty", "", {}, "the file is empty"),
    ("it is white space", " \n\n", {}, "the file is empty"),
    ("its heading is open", '"user_id\n', {}, "the heading can't be read: unexpected end of data"),
    ("it is but a separator", "sep=;\n", {}, "the heading can't be read: there is none"),
)
def test_a_file_whose_columns_say_nothing_is_refused(text, mapped, why):
    with pytest.raises(BadFile, match=why):
        entries(text, mapped=mapped)


def test_a_csv_with_the_columns_of_a_desk_is_read_as_its():
    text = "external_id,role,name,verified,email\nu-1,agent,Ann,,\n,end-user,Bob,true,bob@example.org\n"

    agent, user = records(text)

    assert (agent.who, user.named) == (Who.AGENT, Named.EMAIL)
    assert records(text, mapped={"external_id": Ours.USER_ID})[0].who is Who.END_USER


@cases(
    "data",
    ("commas", b"user_id,name\nu-1,J\xc3\xbcrgen\n"),
    ("semicolons", b"user_id;name\nu-1;J\xc3\xbcrgen\n"),
    ("tabs", b"user_id\tname\nu-1\tJ\xc3\xbcrgen\n"),
    ("a separator that it says", b"sep=;\r\nuser_id;name\r\nu-1;J\xc3\xbcrgen\r\n"),
    ("a mark", b"\xef\xbb\xbfuser_id,name\nu-1,J\xc3\xbcrgen\n"),
    ("lines of an old Macintosh", b"user_id,name\ru-1,J\xc3\xbcrgen\r"),
    ("UTF-16", "user_id\tname\nu-1\tJürgen\n".encode("utf-16")),
    ("UTF-16, the other way", b"\xfe\xff" + "user_id,name\nu-1,Jürgen\n".encode("utf-16-be")),
    ("UTF-16 without a mark", "user_id,name\nu-1,Jürgen\n".encode("utf-16-le")),
    ("the other way without a mark", "user_id,name\nu-1,Jürgen\n".encode("utf-16-be")),
    ("quotes and empty lines", b'\n"user_id","name"\n\n"u-1","J\xc3\xbcrgen"\n\n'),
    ("cells that are missing at the end", b"user_id,name,plan,size\nu-1,J\xc3\xbcrgen\n"),
)
def test_a_csv_is_read_as_spreadsheets_write_it(data):
    assert claims(data) == [("u-1", None, "Jürgen")]


def test_another_encoding_is_read_by_its_name():
    data = "user_id,name\nu-1,Jürgen\nu-2,Bob\n".encode("latin-1")

    assert complaints(data) == {2: "it is not utf-8: name what it is with --encoding"}
    assert claims(data, encoding="latin-1")[0] == ("u-1", None, "Jürgen")
    with pytest.raises(BadFile, match="there is no encoding klingon"):
        entries(data, encoding="klingon")


def test_half_a_letter_of_utf_16_is_refused_with_its_line():
    data = "user_id,name\nu-1,Bob\nu-2,".encode("utf-16") + b"\x00\xd8\n\x00u\x00,\x00"

    assert list(complaints(data)) == [3]


def test_a_cell_may_have_several_lines():
    text = 'user_id,name,note\nu-1,Jane,"one\ntwo"\nu-2,Bob,\n'

    assert claims(text) == [("u-1", None, "Jane"), ("u-2", None, "Bob")]
    assert [entry.number for entry in entries(text)] == [2, 4]


@cases(
    "line, why",
    ("a quote that ends nowhere", 'u-2,"Jane', "unexpected end of data"),
    ("a quote amid a cell", 'u-2,"Jane"x', "',' expected after '\"'"),
    ("more cells than columns", "u-2,Doe, Jane", "it has 3 cells, and the heading 2"),
    ("a cell of ten megabytes", f"u-2,{'x' * 2**20}", "field larger than field limit (131072)"),
    ("a line of ten megabytes", f"u-2,{'x' * LONG}", f"it has a line of more than {cells.MAX_LINE} char"),
)
def test_a_record_that_cant_be_read_is_refused_and_the_rest_goes_in(line, why):
    text = f"user_id,name\nu-1,Ann\n{line}\nu-3,Bob\n"

    (found,) = complaints(text).items()

    assert (found[0], found[1].startswith(why)) == (3, True)
    assert [entry.record.known.claim.user_id for entry in entries(text) if entry.record] == ["u-1", "u-3"]


def test_a_quote_that_ends_nowhere_takes_no_more_lines_than_a_record_has(monkeypatch):
    monkeypatch.setattr(cells, "MAX_LINES", 3)
    text = 'user_id,name\nu-1,"Ann\nu-2,Bob\nu-3,Bob\nu-4,Bob\n'

    read = list(read_cells(io.BytesIO(text.encode())))

    assert [(one.number, bool(one.complaint)) for one in read[1:]] == [
        (2, True),
        (3, False),
        (4, False),
        (5, False),
    ]


@cases(
    "line, why",
    ("no JSON", b"{", "it is no JSON, or too deep"),
    ("much within another", b'{"a":' * 300 + b"1" + b"}" * 300, "it is no JSON, or too deep"),
    ("no object", b"17", "it is no JSON object"),
    ("a long line", b'{"a":"' + b"x" * (MAX_LINE + LONG) + b'"}', f"it has more than {MAX_LINE} bytes"),
)
def test_a_line_that_is_no_object_is_refused_and_the_rest_goes_in(line, why):
    first = b'\xef\xbb\xbf{"external_id": "u-1"}\n\n'
    data = first + line + b'\n[{"external_id": "u-2"}]\n'

    assert complaints(data, "intercom") == {3: why}
    assert [one.record.known.claim.user_id for one in entries(data, "intercom") if one.record] == [
        "u-1",
        "u-2",
    ]
