"""A proof shows who somebody is if one of the app's secrets signed it, and nothing else does."""

import base64
import hashlib
import hmac
import json
import string

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


# A JWT


def test_a_jwt_says_who_somebody_is():
    proof = jwt(said(email="Jane@example.org", name="Jane"), SECRET)

    proven, secret = read(proof)

    assert proven == Proven("u-1", "Jane@example.org", "Jane", covers_all=True)
    assert secret == SECRET


@pytest.mark.parametrize(
    ("payload", "proven"),
    [
        pytest.param(said(), U_1, id="user ID alone"),
        pytest.param(said(sub=None, email="a@b.c"), Proven(None, "a@b.c", None, True), id="email alone"),
        pytest.param(text_of(email="null", name="null"), U_1, id="null members"),
        pytest.param(said(jti="1", iss={"a": [1]}), U_1, id="members that nobody reads"),
        pytest.param(said(iat=NOW - 0.5, exp=NOW + 0.5), U_1, id="parts of seconds"),
        pytest.param(said(sub="Zoë ✓ 名"), Proven("Zoë ✓ 名", None, None, True), id="any letters"),
        pytest.param(text_of(sub='"\\u0075-1"'), U_1, id="escaped letters"),
        pytest.param(said(aud=[APP]), U_1, id="the audience in a list of one"),
        pytest.param(text_of(aud=f'[ "{APP}" ]'), U_1, id="the same with spaces"),
        pytest.param(
            said(aud=[APP], sub=None, email="a@b.c"),
            Proven(None, "a@b.c", None, True),
            id="the same for an email",
        ),
        pytest.param(said(email="", name=""), U_1, id="empty members"),
        pytest.param(said(email=["a@b.c"]), Proven("u-1", ["a@b.c"], None, True), id="an email that is none"),
        pytest.param(said(name=17), Proven("u-1", None, 17, True), id="a name that is none"),
    ],
)
def test_a_jwt_is_read(payload, proven):
    assert read(jwt(payload, SECRET))[0] == proven


@pytest.mark.parametrize(
    "times",
    [
        pytest.param({"iat": NOW + 30, "exp": NOW + 60}, id="issued 30 s ahead"),
        pytest.param({"iat": NOW - 600, "exp": NOW - 29}, id="expired 29 s ago"),
        pytest.param({"iat": NOW, "exp": NOW + DAY}, id="lives for 24 h"),
        pytest.param({"iat": NOW - DAY, "exp": NOW}, id="issued 24 h ago"),
        pytest.param({"iat": NOW, "exp": NOW}, id="lives for no time"),
        pytest.param({"nbf": NOW + 30}, id="holds in 30 s"),
        pytest.param({"nbf": 0}, id="holds since 1970"),
    ],
)
def test_a_jwt_holds_in_its_time(times):
    assert read(jwt(said(**times), SECRET))[0].user_id == "u-1"


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(said(iat=NOW + 31, exp=NOW + 60), id="issued 31 s ahead"),
        pytest.param(said(iat=NOW - 600, exp=NOW - 30), id="expired 30 s ago"),
        pytest.param(said(exp=NOW + DAY + 1), id="lives for 24 h and a second"),
        pytest.param(said(iat=NOW - 10 * DAY), id="issued days ago"),
        pytest.param(said(iat=NOW + 20, exp=NOW + 10), id="expires before it is issued"),
        pytest.param(said(nbf=NOW + 31), id="holds in 31 s"),
        pytest.param(said(iat=None), id="no iat"),
        pytest.param(said(exp=None), id="no exp"),
        pytest.param(text_of(iat="null"), id="null iat"),
        pytest.param(text_of(exp="null"), id="null exp"),
        pytest.param(text_of(nbf="null"), id="null nbf"),
        pytest.param(said(exp=str(NOW + 60)), id="exp as text"),
        pytest.param(said(iat=str(NOW)), id="iat as text"),
        pytest.param(said(nbf=str(NOW)), id="nbf as text"),
        pytest.param(said(exp=True), id="exp as a boolean"),
        pytest.param(said(iat=False, exp=1), id="iat as a boolean"),
        pytest.param(said(nbf=False), id="nbf as a boolean"),
        pytest.param(said(exp=[NOW + 60]), id="exp in a list"),
        pytest.param(said(exp={"$gt": 0}), id="exp as an object"),
        pytest.param(said(exp=10**18), id="exp of 10^18"),
        pytest.param(text_of(exp="1" + "0" * 400), id="exp of 401 digits"),
        pytest.param(text_of(exp="1" * 5_000), id="exp of more digits than Python converts"),
        pytest.param(text_of(exp="1e400"), id="exp beyond all floats"),
        pytest.param(text_of(iat="-1e400", exp="1e400"), id="all of time"),
        pytest.param(text_of(exp="Infinity"), id="exp Infinity"),
        pytest.param(text_of(exp="NaN"), id="exp NaN"),
        pytest.param(text_of(iat="NaN"), id="iat NaN"),
        pytest.param(text_of(nbf="NaN"), id="nbf NaN"),
        pytest.param(said(iat=NOW * 1000, exp=NOW * 1000 + 600), id="times in milliseconds"),
        pytest.param(said(iat=-NOW, exp=NOW + 600), id="iat before 1970"),
    ],
)
def test_a_jwt_out_of_its_time_is_refused(payload):
    with pytest.raises(ProofInvalid):
        read(jwt(payload, SECRET))


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(said(sub=None), id="nobody"),
        pytest.param(said(sub=None, name="Jane"), id="a name alone"),
        pytest.param(said(sub=""), id="sub empty"),
        pytest.param(said(sub="", email="a@b.c"), id="sub empty beside an email"),
        pytest.param(said(sub=17), id="sub a number"),
        pytest.param(said(sub=True), id="sub a boolean"),
        pytest.param(said(sub=["u-1"]), id="sub in a list"),
        pytest.param(said(sub={"id": "u-1"}), id="sub an object"),
        pytest.param(said(sub=0, email="a@b.c"), id="sub zero beside an email"),
        pytest.param(said(sub=False, email="a@b.c"), id="sub false beside an email"),
        pytest.param(said(sub=None, email=""), id="email empty alone"),
        pytest.param(said(sub=None, email=["a@b.c"]), id="email in a list alone"),
        pytest.param(said(sub=None, email=17), id="email a number alone"),
        pytest.param(said(aud=None), id="no aud"),
        pytest.param(said(aud=[]), id="aud an empty list"),
        pytest.param(said(aud="app_" + "f" * 32), id="aud another app"),
        pytest.param(said(aud=[APP, "app_" + "f" * 32]), id="aud two apps"),
        pytest.param(said(aud=["app_" + "f" * 32]), id="aud another app in a list"),
        pytest.param(said(aud=[APP, APP]), id="aud the app twice"),
        pytest.param(said(aud=[[APP]]), id="aud a list in a list"),
        pytest.param(said(aud=[f"{APP} "]), id="aud with white space in a list"),
        pytest.param(said(aud=[APP, None]), id="aud the app and nothing"),
        pytest.param(said(aud=APP.upper()), id="aud in capitals"),
        pytest.param(said(aud=f"{APP} "), id="aud with white space"),
        pytest.param(said(aud={APP: True}), id="aud an object"),
        pytest.param(text_of()[:-1] + b', "sub": "u-2"}', id="sub twice"),
        pytest.param(text_of()[:-1] + b', "sub": "u-1"}', id="sub twice, equal"),
        pytest.param(text_of()[:-1] + b', "s\\u0075b": "u-2"}', id="sub twice, once escaped"),
        pytest.param(text_of()[:-1] + b', "exp": 1}', id="exp twice"),
        pytest.param(text_of()[:-1] + b', "a": {"b": 1, "b": 1}}', id="any member twice"),
        pytest.param(b"", id="no payload"),
        pytest.param(b"null", id="null"),
        pytest.param(b'"u-1"', id="a text"),
        pytest.param(json.dumps([said()]).encode(), id="a list"),
        pytest.param(b"{" + b'"a":{' * 20 + b"}" * 21, id="21 levels"),
        pytest.param(b"[" * 5_000, id="5,000 levels"),
        pytest.param("\ufeff".encode() + text_of(), id="a byte order mark"),
        pytest.param(text_of().decode().encode("utf-16"), id="UTF-16"),
        pytest.param(text_of(name='"') + b'\xff"}', id="no UTF-8"),
    ],
)
def test_a_jwt_with_strange_claims_is_refused(payload):
    with pytest.raises(ProofInvalid):
        read(jwt(payload, SECRET))


def signed_with_rsa():
    """A JWT that somebody signed with a key of their own, which stands in its header."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    numbers = key.public_key().public_numbers()
    jwk = {"kty": "RSA", "n": urlsafe(numbers.n.to_bytes(256)), "e": urlsafe(b"\1\0\1")}
    signing_input = unsigned(said(), {"alg": "RS256", "typ": "JWT", "jwk": jwk})
    return f"{signing_input}.{urlsafe(key.sign(signing_input.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


@pytest.mark.parametrize(
    "header",
    [
        pytest.param({"alg": "none"}, id="none"),
        pytest.param({"alg": "NONE"}, id="none in capitals"),
        pytest.param({"alg": "nOnE"}, id="none in both cases"),
        pytest.param({"alg": ""}, id="empty"),
        pytest.param({"alg": None}, id="null"),
        pytest.param({}, id="missing"),
        pytest.param({"alg": "HS256"}, id="ours"),
    ],
)
def test_a_jwt_without_a_signature_is_refused(header):
    proof = unsigned(said(), header) + "."

    with pytest.raises(ProofInvalid):
        read(proof)


@pytest.mark.parametrize(
    "alg", ["none", "HS384", "HS512", "RS256", "ES256", "EdDSA", "hs256", ["HS256"], {}, 1]
)
def test_a_jwt_that_names_another_algorithm_is_refused(alg):
    signing_input = unsigned(said(), {"alg": alg, "typ": "JWT"})
    signature = urlsafe(hmac.digest(SECRET.encode(), signing_input.encode(), hashlib.sha256))

    with pytest.raises(ProofInvalid):
        read(f"{signing_input}.{signature}")


@pytest.mark.parametrize("alg", ["HS384", "HS512"])
def test_a_jwt_signed_by_another_algorithm_is_refused(alg):
    with pytest.raises(ProofInvalid):
        read(jwt(said(), SECRET, alg=alg))


def test_a_jwt_signed_with_a_key_of_its_own_is_refused():
    with pytest.raises(ProofInvalid):
        read(signed_with_rsa())


def test_a_jwt_signed_with_a_public_key_as_text_is_refused():
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    public = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

    with pytest.raises(ProofInvalid):
        read(jwt(said(), public.decode()))


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


@pytest.mark.parametrize(
    "header",
    [
        pytest.param({"typ": None}, id="null typ"),
        pytest.param({"kid": "2026-11"}, id="kid"),
        pytest.param({"cty": "JWT"}, id="cty"),
        pytest.param({"jwk": {"kty": "oct", "k": urlsafe(b"k" * 32)}}, id="a key that nobody uses"),
    ],
)
def test_a_header_changes_nothing_about_a_jwt_that_is_signed(header):
    assert read(jwt(said(), SECRET, **header))[0].user_id == "u-1"


@pytest.mark.parametrize(
    "header",
    [
        pytest.param({"crit": ["exp"]}, id="something critical that is a claim"),
        pytest.param({"crit": ["x-usher"], "x-usher": True}, id="something critical that nobody knows"),
        pytest.param({"crit": []}, id="nothing critical"),
        pytest.param({"crit": "b64"}, id="critical as text"),
        pytest.param({"crit": ["b64"], "b64": False}, id="an unencoded payload"),
        pytest.param({"b64": False}, id="an unencoded payload, and not critical"),
        pytest.param({"kid": 17}, id="kid a number"),
        pytest.param({"kid": None}, id="kid null"),
    ],
)
def test_a_header_that_asks_for_more_than_is_done_is_refused(header):
    with pytest.raises(ProofInvalid):
        read(jwt(said(), SECRET, **header))


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"null", id="null"),
        pytest.param(b'["alg", "HS256"]', id="a list"),
        pytest.param(b'"HS256"', id="a text"),
        pytest.param(b"{", id="cut off"),
        pytest.param(b"[" * 5_000, id="5,000 levels"),
        pytest.param(b'{"alg": ' + b"1" * 5_000 + b"}", id="more digits than Python converts"),
        pytest.param(b"\xff\xfe", id="no UTF-8"),
    ],
)
def test_a_header_that_is_none_is_refused(header):
    signing_input = unsigned(said(), header)
    signature = urlsafe(hmac.digest(SECRET.encode(), signing_input.encode(), hashlib.sha256))

    with pytest.raises(ProofInvalid):
        read(f"{signing_input}.{signature}")


@pytest.mark.parametrize(
    "altered",
    [
        pytest.param(lambda proof: f"{proof}=", id="padding"),
        pytest.param(lambda proof: f"{proof}.", id="a fourth part"),
        pytest.param(lambda proof: f".{proof}", id="a part before"),
        pytest.param(lambda proof: proof.rpartition(".")[0], id="two parts"),
        pytest.param(lambda proof: f"{proof} ", id="white space after"),
        pytest.param(lambda proof: f" {proof}", id="white space before"),
        pytest.param(lambda proof: f"{proof}\n", id="a line's end"),
        pytest.param(lambda proof: f"{proof}\0", id="NUL"),
        pytest.param(lambda proof: f"{proof}\ud800", id="a surrogate"),
        pytest.param(lambda proof: f"{proof}é", id="a letter beyond ASCII"),
        pytest.param(lambda proof: f"Bearer {proof}", id="a word before"),
        pytest.param(lambda proof: proof.replace("-", "+").replace("_", "/") + "+", id="the other alphabet"),
        pytest.param(lambda proof: proof.replace(".", "．"), id="dots of full width"),
        pytest.param(lambda proof: ".", id="one dot"),
        pytest.param(lambda proof: "..", id="two dots"),
    ],
)
def test_a_jwt_in_another_form_is_refused(altered):
    proof = jwt(said(), SECRET)

    with pytest.raises(ProofInvalid):
        read(altered(proof))


def test_a_jwt_with_the_signature_of_another_is_refused():
    mine, theirs = jwt(said(), SECRET), jwt(said(sub="u-2"), SECRET)

    with pytest.raises(ProofInvalid):
        read(".".join([*theirs.split(".")[:2], mine.split(".")[2]]))


@pytest.mark.parametrize("length", [0, 10_000, 90_000])
def test_a_jwt_of_any_length_is_read(length):
    assert read(jwt(said(a="x" * length), SECRET))[0].user_id == "u-1"


# Helpshift's HMAC


@pytest.mark.parametrize(
    ("user_id", "email", "covered", "proven"),
    [
        pytest.param("u-1", None, "u-1", Proven("u-1", None, None, False), id="user ID"),
        pytest.param("u-1", "a@b.c", "u-1", Proven("u-1", None, None, False), id="user ID beside an email"),
        pytest.param(None, "A@b.c", "A@b.c", Proven(None, "A@b.c", None, False), id="email"),
        pytest.param("Zoë 名", None, "Zoë 名", Proven("Zoë 名", None, None, False), id="any letters"),
        pytest.param("a.b.c", None, "a.b.c", Proven("a.b.c", None, None, False), id="user ID with dots"),
    ],
)
@pytest.mark.parametrize("pad", ["=", ""], ids=["padded", "not padded"])
def test_an_hmac_covers_one_identifier(user_id, email, covered, proven, pad):
    proof = hmac_of(covered, SECRET).rstrip("=") + pad

    assert read_hmac(proof, (SECRET,), user_id, email) == (proven, SECRET)


def test_an_hmac_is_the_one_that_helpshift_documents():
    # printf %s u-1 | openssl dgst -sha256 -hmac secret -binary | base64
    proof = "inVvelUI9z/fpCW552JEO8/P5fNyqzZDqJDdzSQz9Zk="

    assert base64.b64decode(proof) == hmac.digest(b"secret", b"u-1", "sha256")
    assert read_hmac(proof, ("secret",), "u-1", None)[0].user_id == "u-1"


@pytest.mark.parametrize(
    ("user_id", "email"),
    [
        pytest.param("u-2", None, id="another user ID"),
        pytest.param("U-1", None, id="another case"),
        pytest.param("u-1 ", None, id="white space"),
        pytest.param("u-", None, id="less"),
        pytest.param("u-11", None, id="more"),
        pytest.param("\uff55-1", None, id="a letter of full width"),
        pytest.param(None, "u-2", id="another email"),
        pytest.param("u", "-1", id="cut elsewhere"),
        pytest.param("u-2", "u-1", id="the email, beside a user ID"),
        pytest.param(None, None, id="nothing"),
        pytest.param("", None, id="an empty user ID"),
        pytest.param("\ud800", None, id="a surrogate"),
    ],
)
def test_an_hmac_of_another_identifier_is_refused(user_id, email):
    with pytest.raises(ProofInvalid):
        read_hmac(hmac_of("u-1", SECRET), (SECRET,), user_id, email)


@pytest.mark.parametrize(
    "altered",
    [
        pytest.param(lambda proof: "", id="empty"),
        pytest.param(lambda proof: "====", id="padding alone"),
        pytest.param(lambda proof: proof[:-2] + "=", id="cut"),
        pytest.param(lambda proof: proof[:8], id="the first bytes"),
        pytest.param(lambda proof: proof + proof, id="twice"),
        pytest.param(lambda proof: f"{proof}==", id="padded too much"),
        pytest.param(lambda proof: f"={proof}", id="padded in front"),
        pytest.param(lambda proof: f" {proof}", id="white space before"),
        pytest.param(lambda proof: f"{proof}\n", id="a line's end"),
        pytest.param(lambda proof: f"{proof[:20]}\n{proof[20:]}", id="a line's end within"),
        pytest.param(lambda proof: f"{proof[:-1]}\0=", id="NUL"),
        pytest.param(lambda proof: proof[:-1] + "é", id="a letter beyond ASCII"),
        pytest.param(lambda proof: f"{proof}\ud800", id="a surrogate"),
        pytest.param(lambda proof: base64.b64decode(proof).hex(), id="in hex"),
        pytest.param(lambda proof: proof.replace(proof[0], chr(ord(proof[0]) + 0xFEE0)), id="of full width"),
        pytest.param(lambda proof: base64.b64encode(b"\0" * 32).decode(), id="nothing but zeros"),
    ],
)
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


def test_an_hmac_by_another_hash_is_refused():
    proof = base64.b64encode(hmac.digest(SECRET.encode(), b"u-1", "sha512")).decode()

    with pytest.raises(ProofInvalid):
        read_hmac(proof, (SECRET,), "u-1", None)


def test_a_jwt_is_told_from_an_hmac():
    assert is_jwt(jwt(said(), SECRET))
    assert not is_jwt(hmac_of("a.b.c", SECRET))


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

    assert proven.user_id == "u-1"
    assert by == secret


@pytest.mark.parametrize("kind", ["jwt", "hmac"])
@pytest.mark.parametrize("secrets", [(), (NEW_SECRET,)], ids=["none is left", "another is left"])
def test_nobody_is_believed_by_a_secret_that_is_gone(kind, secrets):
    with pytest.raises(ProofInvalid):
        both_kinds(SECRET)[kind](secrets)


def test_a_jwt_altered_in_any_one_character_never_passes():
    proof = jwt(said(), SECRET)

    assert read(proof)
    assert [altered for altered in alterations(proof) if passes(read, altered)] == []


@pytest.mark.parametrize("pad", ["=", ""], ids=["padded", "not padded"])
def test_an_hmac_altered_in_any_one_character_never_passes(pad):
    proof = hmac_of("u-1", SECRET).rstrip("=") + pad

    def check(text):
        return read_hmac(text, (SECRET,), "u-1", None)

    assert check(proof)
    assert [altered for altered in alterations(proof) if passes(check, altered)] == []


def alterations(proof):
    alphabet = string.ascii_letters + string.digits + "-_+/=. "
    return [
        f"{proof[:at]}{other}{proof[at + 1 :]}"
        for at, character in enumerate(proof)
        for other in alphabet
        if other != character
    ]


def passes(check, proof):
    try:
        check(proof)
    except ProofInvalid:
        return False
    return True


def believed(check):
    """What a check answers, or None where it refuses in the one way that it may."""
    try:
        return check()[0]
    except ProofInvalid:
        return None


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
