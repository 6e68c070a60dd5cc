"""A proof shows who somebody is if one of the app's secrets signed it, and nothing else does."""

import base64
import hashlib
import hmac
import json
import string
from functools import partial

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from hypothesis import given
from hypothesis import strategies as st

from service.model import identifiers
from service.model.errors import ProofInvalid
from service.proofs import Proven, is_jwt, read_hmac, read_jwt
from tests.support.signing import HEADER, claims, hmac_of, jwt, unsigned, urlsafe

SECRET = "ik_0123456789abcdef0123456789abcdef_" + "s" * 43
NEW_SECRET = "ik_0123456789abcdef0123456789abcdef_" + "n" * 43
APP = "app_0123456789abcdef0123456789abcdef"
NOW = 1_800_000_000  # seconds
U_1 = Proven("u-1", None, None, covers_all=True)
DAY = 24 * 60 * 60

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=8,
)


def read(proof, *secrets):
    return read_jwt(proof, secrets or (SECRET,), APP, NOW)


def said(**members):
    """The claims of u-1 as they stand in a proof that is accepted, with some changed; None leaves one out."""
    changed = claims(APP, NOW, sub="u-1") | members
    return {name: value for name, value in changed.items() if value is not None}


def text_of(**members):
    """The same, with the texts of members' values as they are to stand in JSON."""
    written = {name: json.dumps(value) for name, value in said().items()} | members
    return ("{" + ", ".join(f'"{name}": {value}' for name, value in written.items()) + "}").encode()


def believed(check):
    """What a check answers, or None where it refuses in the one way that it may."""
    try:
        return check()[0]
    except ProofInvalid:
        return None


# A JWT


def test_a_jwt_says_who_somebody_is():
    proof = jwt(said(email="Jane@example.org", name="Jane"), SECRET)

    proven, secret = read(proof)

    assert proven == Proven("u-1", "Jane@example.org", "Jane", covers_all=True)
    assert secret == SECRET


READ = {
    "user ID alone": (said(), U_1),
    "email alone": (said(sub=None, email="a@b.c"), Proven(None, "a@b.c", None, True)),
    "null members": (text_of(email="null", name="null"), U_1),
    "members that nobody reads": (said(jti="1", iss={"a": [1]}), U_1),
    "parts of seconds": (said(iat=NOW - 0.5, exp=NOW + 0.5), U_1),
    "any letters": (said(sub="Zoë ✓ 名"), Proven("Zoë ✓ 名", None, None, True)),
    "escaped letters": (text_of(sub='"\\u0075-1"'), U_1),
    "the audience in a list of one": (said(aud=[APP]), U_1),
    "the same with spaces": (text_of(aud=f'[ "{APP}" ]'), U_1),
    "the same for an email": (said(aud=[APP], sub=None, email="a@b.c"), Proven(None, "a@b.c", None, True)),
    "empty members": (said(email="", name=""), U_1),
    "an email that is none": (said(email=["a@b.c"]), Proven("u-1", ["a@b.c"], None, True)),
    "a name that is none": (said(name=17), Proven("u-1", None, 17, True)),
}  # fmt: skip


@pytest.mark.parametrize(("payload", "proven"), READ.values(), ids=READ)
def test_a_jwt_is_read(payload, proven):
    assert read(jwt(payload, SECRET))[0] == proven


IN_TIME = {
    "issued 30 s ahead": {"iat": NOW + 30, "exp": NOW + 60},
    "expired 29 s ago": {"iat": NOW - 600, "exp": NOW - 29}, "lives for 24 h": {"iat": NOW, "exp": NOW + DAY},
    "issued 24 h ago": {"iat": NOW - DAY, "exp": NOW}, "lives for no time": {"iat": NOW, "exp": NOW},
    "holds in 30 s": {"nbf": NOW + 30}, "holds since 1970": {"nbf": 0},
}  # fmt: skip


@pytest.mark.parametrize("times", IN_TIME.values(), ids=IN_TIME)
def test_a_jwt_holds_in_its_time(times):
    assert read(jwt(said(**times), SECRET))[0].user_id == "u-1"


REFUSED_CLAIMS = {
    "issued 31 s ahead": said(iat=NOW + 31, exp=NOW + 60),
    "expired 30 s ago": said(iat=NOW - 600, exp=NOW - 30),
    "lives for 24 h and a second": said(exp=NOW + DAY + 1), "issued days ago": said(iat=NOW - 10 * DAY),
    "expires before it is issued": said(iat=NOW + 20, exp=NOW + 10), "holds in 31 s": said(nbf=NOW + 31),
    "no iat": said(iat=None), "no exp": said(exp=None), "null iat": text_of(iat="null"),
    "null exp": text_of(exp="null"), "null nbf": text_of(nbf="null"), "exp as text": said(exp=str(NOW + 60)),
    "iat as text": said(iat=str(NOW)), "nbf as text": said(nbf=str(NOW)), "exp as a boolean": said(exp=True),
    "iat as a boolean": said(iat=False, exp=1), "nbf as a boolean": said(nbf=False),
    "exp in a list": said(exp=[NOW + 60]), "exp as an object": said(exp={"$gt": 0}),
    "exp of 10^18": said(exp=10**18), "exp of 401 digits": text_of(exp="1" + "0" * 400),
    "exp beyond all floats": text_of(exp="1e400"), "all of time": text_of(iat="-1e400", exp="1e400"),
    "exp Infinity": text_of(exp="Infinity"), "exp NaN": text_of(exp="NaN"),
    "times in milliseconds": said(iat=NOW * 1000, exp=NOW * 1000 + 600),
    "iat before 1970": said(iat=-NOW, exp=NOW + 600), "nobody": said(sub=None),
    "a name alone": said(sub=None, name="Jane"), "sub empty": said(sub=""),
    "sub empty beside an email": said(sub="", email="a@b.c"), "sub a number": said(sub=17),
    "sub a boolean": said(sub=True), "sub in a list": said(sub=["u-1"]),
    "sub an object": said(sub={"id": "u-1"}), "sub zero beside an email": said(sub=0, email="a@b.c"),
    "sub false beside an email": said(sub=False, email="a@b.c"),
    "email empty alone": said(sub=None, email=""), "email in a list alone": said(sub=None, email=["a@b.c"]),
    "email a number alone": said(sub=None, email=17), "no aud": said(aud=None),
    "aud an empty list": said(aud=[]), "aud another app": said(aud="app_" + "f" * 32),
    "aud two apps": said(aud=[APP, "app_" + "f" * 32]),
    "aud another app in a list": said(aud=["app_" + "f" * 32]), "aud the app twice": said(aud=[APP, APP]),
    "aud a list in a list": said(aud=[[APP]]), "aud with white space in a list": said(aud=[f"{APP} "]),
    "aud the app and nothing": said(aud=[APP, None]), "aud in capitals": said(aud=APP.upper()),
    "aud with white space": said(aud=f"{APP} "), "aud an object": said(aud={APP: True}),
    "sub twice": text_of()[:-1] + b', "sub": "u-2"}', "no payload": b"", "null": b"null", "a text": b'"u-1"',
    "a list": json.dumps([said()]).encode(), "21 levels": b"{" + b'"a":{' * 20 + b"}" * 21,
    "no UTF-8": text_of(name='"') + b'\xff"}',
}  # fmt: skip


@pytest.mark.parametrize("payload", REFUSED_CLAIMS.values(), ids=REFUSED_CLAIMS)
def test_a_jwt_that_is_out_of_its_time_or_has_strange_claims_is_refused(payload):
    with pytest.raises(ProofInvalid):
        read(jwt(payload, SECRET))


def signed_by_hand(header, payload=None):
    """Sign with our algorithm whatever the header says, as no library would."""
    signing_input = unsigned(payload or said(), header)
    return f"{signing_input}.{urlsafe(hmac.digest(SECRET.encode(), signing_input.encode(), hashlib.sha256))}"


RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def signed_with_rsa():
    """A JWT that somebody signed with a key of their own, which stands in its header."""
    numbers = RSA.public_key().public_numbers()
    jwk = {"kty": "RSA", "n": urlsafe(numbers.n.to_bytes(256)), "e": urlsafe(b"\1\0\1")}
    signing_input = unsigned(said(), {"alg": "RS256", "typ": "JWT", "jwk": jwk})
    return f"{signing_input}.{urlsafe(RSA.sign(signing_input.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def signed_with_a_public_key():
    """A JWT whose secret is a public key as text."""
    form = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return jwt(said(), RSA.public_key().public_bytes(*form).decode())


NO_SIGNATURE = [{"alg": alg} for alg in ("none", "NONE", "nOnE", "", None, "HS256")] + [{}]
OTHER_ALGORITHMS = ["none", "HS384", "HS512", "RS256", "ES256", "EdDSA", "hs256", ["HS256"], {}, 1]


@pytest.mark.parametrize(
    "proof",
    [
        *(
            pytest.param(unsigned(said(), header) + ".", id=f"no signature {header}")
            for header in NO_SIGNATURE
        ),
        *(
            pytest.param(signed_by_hand({"alg": alg, "typ": "JWT"}), id=f"names {alg}")
            for alg in OTHER_ALGORITHMS
        ),
        *(pytest.param(jwt(said(), SECRET, alg=alg), id=f"signed by {alg}") for alg in ("HS384", "HS512")),
        pytest.param(signed_with_rsa(), id="signed with a key of its own"),
        pytest.param(signed_with_a_public_key(), id="signed with a public key as text"),
        pytest.param(jwt(said(), SECRET, crit=["exp"]), id="something critical that is a claim"),
        pytest.param(jwt(said(), SECRET, crit=["x"], x=True), id="something critical that nobody knows"),
        pytest.param(jwt(said(), SECRET, crit=[]), id="nothing critical"),
        pytest.param(jwt(said(), SECRET, crit="b64"), id="critical as text"),
        pytest.param(jwt(said(), SECRET, crit=["b64"], b64=False), id="an unencoded payload"),
        pytest.param(jwt(said(), SECRET, b64=False), id="an unencoded payload, and not critical"),
        pytest.param(jwt(said(), SECRET, kid=17), id="kid a number"),
        pytest.param(jwt(said(), SECRET, kid=None), id="kid null"),
        pytest.param(signed_by_hand(b""), id="no header"),
        pytest.param(signed_by_hand(b"null"), id="a header null"),
        pytest.param(signed_by_hand(b'["alg", "HS256"]'), id="a header that is a list"),
        pytest.param(signed_by_hand(b'"HS256"'), id="a header that is a text"),
        pytest.param(signed_by_hand(b"{"), id="a header cut off"),
        pytest.param(signed_by_hand(b"[" * 5_000), id="a header of 5,000 levels"),
        pytest.param(signed_by_hand(b"\xff\xfe"), id="a header that is no UTF-8"),
    ],
)
def test_a_jwt_that_is_signed_in_another_way_or_asks_for_more_is_refused(proof):
    with pytest.raises(ProofInvalid):
        read(proof)


@pytest.mark.parametrize(
    "secret",
    [
        pytest.param("", id="no secret"),
        pytest.param(NEW_SECRET, id="another secret"),
        pytest.param(SECRET.removeprefix("ik_"), id="without the prefix"),
        pytest.param(SECRET[:-1], id="one letter less"),
        pytest.param(SECRET.upper(), id="in capitals"),
        pytest.param(f"{SECRET}\n", id="with a line's end"),
        pytest.param("k" * 32, id="the one that the header brings"),
    ],
)
@pytest.mark.parametrize(
    "header",
    [
        pytest.param({}, id="plain"),
        pytest.param({"jwk": {"kty": "oct", "k": urlsafe(b"k" * 32), "alg": "HS256"}}, id="jwk"),
        pytest.param({"jku": "https://attacker.example/keys.json"}, id="jku"),
        pytest.param({"x5u": "https://attacker.example/cert.pem"}, id="x5u"),
        pytest.param({"kid": "../../../../dev/null"}, id="kid a path"),
        pytest.param({"kid": "' UNION SELECT '' --"}, id="kid a query"),
        pytest.param({"kid": ""}, id="kid empty"),
    ],
)
def test_a_jwt_signed_with_what_is_no_secret_is_refused(secret, header):
    with pytest.raises(ProofInvalid):
        read(jwt(said(), secret, **header))


IDLE_HEADERS = {
    "null typ": {"typ": None}, "kid": {"kid": "2026-11"}, "cty": {"cty": "JWT"},
    "a key that nobody uses": {"jwk": {"kty": "oct", "k": urlsafe(b"k" * 32)}},
}  # fmt: skip


@pytest.mark.parametrize("header", IDLE_HEADERS.values(), ids=IDLE_HEADERS)
def test_a_header_changes_nothing_about_a_jwt_that_is_signed(header):
    assert read(jwt(said(), SECRET, **header))[0].user_id == "u-1"


OTHER_FORMS = {
    "padding": lambda proof: f"{proof}=", "a fourth part": lambda proof: f"{proof}.",
    "a part before": lambda proof: f".{proof}", "two parts": lambda proof: proof.rpartition(".")[0],
    "white space after": lambda proof: f"{proof} ", "white space before": lambda proof: f" {proof}",
    "a line's end": lambda proof: f"{proof}\n", "NUL": lambda proof: f"{proof}\0",
    "a surrogate": lambda proof: f"{proof}\ud800", "a letter beyond ASCII": lambda proof: f"{proof}é",
    "a word before": lambda proof: f"Bearer {proof}",
    "the other alphabet": lambda proof: proof.replace("-", "+").replace("_", "/") + "+",
    "dots of full width": lambda proof: proof.replace(".", "．"),
    "the signature of another": lambda proof: unsigned(said(sub="u-2"), HEADER) + proof[proof.rindex(".") :],
    "one dot": lambda proof: ".", "two dots": lambda proof: "..",
}  # fmt: skip


@pytest.mark.parametrize("altered", OTHER_FORMS.values(), ids=OTHER_FORMS)
def test_a_jwt_in_another_form_is_refused(altered):
    proof = jwt(said(), SECRET)

    with pytest.raises(ProofInvalid):
        read(altered(proof))


@pytest.mark.parametrize("length", [0, 10_000, 90_000])
def test_a_jwt_of_any_length_is_read(length):
    assert read(jwt(said(a="x" * length), SECRET))[0].user_id == "u-1"


# Helpshift's HMAC


COVERED = {
    "user ID": ("u-1", None, "u-1", Proven("u-1", None, None, False)),
    "user ID beside an email": ("u-1", "a@b.c", "u-1", Proven("u-1", None, None, False)),
    "email": (None, "A@b.c", "A@b.c", Proven(None, "A@b.c", None, False)),
    "any letters": ("Zoë 名", None, "Zoë 名", Proven("Zoë 名", None, None, False)),
    "user ID with dots": ("a.b.c", None, "a.b.c", Proven("a.b.c", None, None, False)),
}  # fmt: skip


@pytest.mark.parametrize(("user_id", "email", "covered", "proven"), COVERED.values(), ids=COVERED)
@pytest.mark.parametrize("pad", ["=", ""], ids=["padded", "not padded"])
def test_an_hmac_covers_one_identifier(user_id, email, covered, proven, pad):
    proof = hmac_of(covered, SECRET).rstrip("=") + pad

    assert read_hmac(proof, (SECRET,), user_id, email) == (proven, SECRET)


def test_an_hmac_is_the_one_that_helpshift_documents():
    # printf %s u-1 | openssl dgst -sha256 -hmac secret -binary | base64
    proof = "inVvelUI9z/fpCW552JEO8/P5fNyqzZDqJDdzSQz9Zk="

    assert base64.b64decode(proof) == hmac.digest(b"secret", b"u-1", "sha256")
    assert read_hmac(proof, ("secret",), "u-1", None)[0].user_id == "u-1"


OTHER_IDENTIFIERS = {
    "another user ID": ("u-2", None), "another case": ("U-1", None), "white space": ("u-1 ", None),
    "less": ("u-", None), "more": ("u-11", None), "a letter of full width": ("\uff55-1", None),
    "another email": (None, "u-2"), "cut elsewhere": ("u", "-1"),
    "the email, beside a user ID": ("u-2", "u-1"), "nothing": (None, None), "an empty user ID": ("", None),
    "a surrogate": ("\ud800", None),
}  # fmt: skip


@pytest.mark.parametrize(("user_id", "email"), OTHER_IDENTIFIERS.values(), ids=OTHER_IDENTIFIERS)
def test_an_hmac_of_another_identifier_is_refused(user_id, email):
    with pytest.raises(ProofInvalid):
        read_hmac(hmac_of("u-1", SECRET), (SECRET,), user_id, email)


OTHER_HMACS = {
    "empty": lambda proof: "", "padding alone": lambda proof: "====", "cut": lambda proof: proof[:-2] + "=",
    "the first bytes": lambda proof: proof[:8], "twice": lambda proof: proof + proof,
    "padded too much": lambda proof: f"{proof}==", "padded in front": lambda proof: f"={proof}",
    "white space before": lambda proof: f" {proof}", "a line's end": lambda proof: f"{proof}\n",
    "a line's end within": lambda proof: f"{proof[:20]}\n{proof[20:]}",
    "NUL": lambda proof: f"{proof[:-1]}\0=", "a letter beyond ASCII": lambda proof: proof[:-1] + "é",
    "a surrogate": lambda proof: f"{proof}\ud800", "in hex": lambda proof: base64.b64decode(proof).hex(),
    "by another hash": lambda _: base64.b64encode(hmac.digest(SECRET.encode(), b"u-1", "sha512")).decode(),
    "of full width": lambda proof: proof.replace(proof[0], chr(ord(proof[0]) + 0xFEE0)),
    "nothing but zeros": lambda proof: base64.b64encode(b"\0" * 32).decode(),
}  # fmt: skip


@pytest.mark.parametrize("altered", OTHER_HMACS.values(), ids=OTHER_HMACS)
def test_an_hmac_in_another_form_is_refused(altered):
    with pytest.raises(ProofInvalid):
        read_hmac(altered(hmac_of("u-1", SECRET)), (SECRET,), "u-1", None)


def test_an_hmac_in_the_alphabet_for_urls_is_refused():
    user_id = next(id for id in map(str, range(1_000)) if {"+", "/"} <= set(hmac_of(id, SECRET)))
    proof = hmac_of(user_id, SECRET)

    read_hmac(proof, (SECRET,), user_id, None)
    with pytest.raises(ProofInvalid):
        read_hmac(proof.replace("+", "-").replace("/", "_"), (SECRET,), user_id, None)


def completed(text):
    """Make a JWT of a text and the HMAC of it."""
    return f"{text}.{hmac_of(text, SECRET).translate(str.maketrans('+/', '-_', '='))}"


def test_an_hmac_of_a_user_id_that_is_the_start_of_a_jwt_completes_it_so_no_secret_is_for_both():
    user_id = unsigned(said(sub="u-2"), HEADER)

    assert identifiers.user_id(user_id) == user_id
    assert read(completed(user_id))[0].user_id == "u-2"


@pytest.mark.parametrize("at", [8, 40, 90], ids=["header", "payload", "end of payload"])
def test_no_hmac_of_an_email_completes_a_jwt(at):
    start = unsigned(said(sub="u-2"), HEADER)

    with pytest.raises(ProofInvalid):
        read(completed(f"{start[:at]}@{start[at:]}"))


def test_a_jwt_is_told_from_an_hmac():
    assert (is_jwt(jwt(said(), SECRET)), is_jwt(hmac_of("a.b.c", SECRET))) == (True, False)


# Both kinds


def both_kinds(secret):
    """What reads each kind with any secrets, given a proof by this one."""
    proof, plain = jwt(said(), secret), hmac_of("u-1", secret)
    return {
        "jwt": lambda secrets: read_jwt(proof, secrets, APP, NOW),
        "hmac": lambda secrets: read_hmac(plain, secrets, "u-1", None),
    }


@pytest.mark.parametrize("kind", ["jwt", "hmac"])
@pytest.mark.parametrize("secret", [SECRET, NEW_SECRET], ids=["old", "new"])
def test_any_of_several_secrets_may_have_signed(kind, secret):
    proven, by = both_kinds(secret)[kind]((NEW_SECRET, SECRET))

    assert (proven.user_id, by) == ("u-1", secret)


@pytest.mark.parametrize("kind", ["jwt", "hmac"])
@pytest.mark.parametrize("secrets", [(), (NEW_SECRET,)], ids=["none is left", "another is left"])
def test_nobody_is_believed_by_a_secret_that_is_gone(kind, secrets):
    with pytest.raises(ProofInvalid):
        both_kinds(SECRET)[kind](secrets)


@pytest.mark.parametrize(
    ("proof", "check"),
    [
        (jwt(said(), SECRET), read),
        (hmac_of("u-1", SECRET), lambda text: read_hmac(text, (SECRET,), "u-1", None)),
        (hmac_of("u-1", SECRET).rstrip("="), lambda text: read_hmac(text, (SECRET,), "u-1", None)),
    ],
    ids=["a JWT", "an HMAC, padded", "an HMAC, not padded"],
)
def test_what_is_altered_in_any_one_character_never_passes(proof, check):
    alphabet = string.ascii_letters + string.digits + "-_+/=. "
    alterations = [
        f"{proof[:at]}{other}{proof[at + 1 :]}"
        for at, character in enumerate(proof)
        for other in alphabet
        if other != character
    ]

    assert check(proof)
    assert [altered for altered in alterations if believed(partial(check, altered))] == []


ANY_TEXT = st.text(st.characters(categories=None))
PARTS = st.binary().map(urlsafe) | JSON.map(lambda value: urlsafe(json.dumps(value).encode()))


@given(ANY_TEXT | st.lists(PARTS, min_size=1, max_size=4).map(".".join))
def test_no_text_is_a_jwt_by_chance(text):
    assert believed(lambda: read(text)) is None


@given(
    ANY_TEXT | st.binary().map(base64.b64encode).map(bytes.decode), st.none() | ANY_TEXT, st.none() | ANY_TEXT
)
def test_no_text_is_an_hmac_by_chance(text, user_id, email):
    assert believed(lambda: read_hmac(text, (SECRET, NEW_SECRET), user_id, email)) is None


@given(st.dictionaries(st.sampled_from(["alg", "typ", "kid", "crit", "b64", "jwk", "cty"]), JSON), JSON)
def test_no_header_lets_pass_what_nobody_signed(header, payload):
    signing_input = unsigned(json.dumps(payload).encode(), header)

    assert believed(lambda: read(f"{signing_input}.")) is None
    assert believed(lambda: read(f"{signing_input}.{urlsafe(b'0' * 32)}")) is None


@given(st.dictionaries(st.sampled_from(["sub", "email", "name", "iat", "exp", "nbf", "aud"]), JSON))
def test_whatever_is_signed_is_believed_as_it_stands_or_refused(members):
    payload = said() | members

    proven = believed(lambda: read(jwt(json.dumps(payload).encode(), SECRET)))

    if proven is not None:
        email, name = (
            None if value == "" else value for value in (payload.get("email"), payload.get("name"))
        )
        assert proven == Proven(payload.get("sub"), email, name, True)
        assert proven.user_id or proven.email
        assert payload["aud"] in (APP, [APP])
        assert payload["exp"] - payload["iat"] <= DAY


@given(ANY_TEXT.filter(lambda text: text.encode("utf-8", "surrogatepass") != b"u-1"))
def test_an_hmac_proves_nobody_else(user_id):
    assert believed(lambda: read_hmac(hmac_of("u-1", SECRET), (SECRET,), user_id, None)) is None
