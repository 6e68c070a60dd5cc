"""What a file may be called."""

from service.model.attachments import file_name
from tests.support.cases import cases


@cases(
    "sent, known",
    ("a name", "parcel.jpg", "parcel.jpg"),
    ("letters of any script", "Führerschein Rückseite.jpg", "Führerschein Rückseite.jpg"),
    ("letters in parts, as macOS has them", "Fu\u0308hrer.jpg", "Führer.jpg"),
    ("joiners", "می\u200cخواهم 👨\u200d👩.png", "می\u200cخواهم 👨\u200d👩.png"),
    ("a path", "../../etc/passwd", "passwd"),
    ("a path of Windows", r"C:\Users\jane\parcel.jpg", "parcel.jpg"),
    ("a path alone", "a/b/", "file"),
    ("nothing", "", "file"),
    ("white space", " \t\u3000", "file"),
    ("nothing to be seen", "\u200b\u200d", "file"),
    ("dots", "..", "file"),
    ("a hidden file", ".htaccess", "htaccess"),
    ("spaces and dots at the end", "parcel.jpg. .", "parcel.jpg"),
    ("lines", "a\r\nb\0c\x7f.txt", "abc.txt"),
    ("turned around", "parcel\u202egpj.exe", "parcelgpj.exe"),
    ("half of a pair", "a\ud800.txt", "a.txt"),
    ("what Windows has not", '<a>:"b|c?*".txt', "_a___b_c___.txt"),
    ("a device of Windows", "con.txt", "_con.txt"),
    ("a device and a space", "NUL .txt", "_NUL .txt"),
    ("a device in a name", "console.txt", "console.txt"),
    ("long", "a" * 300 + ".jpeg", "a" * 250 + ".jpeg"),
    ("as long as may be", "a" * 255, "a" * 255),
    ("long, without an ending", "a" * 300, "a" * 255),
    ("long, and all of it an ending", "a." + "b" * 300, "a." + "b" * 253),
    ("long, of characters of several code points", "👨\u200d👩" * 100, "👨\u200d👩" * 85),
)
def test_a_file_is_called_what_it_may_be_called_everywhere(sent, known):
    assert file_name(sent) == known
    assert file_name(known) == known
