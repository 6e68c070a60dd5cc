"""Stand in for curl where there is none: the options that the pages use, and no others.

It is started once for each line, so it imports as little as can be.
"""

import socket
import sys


def main(arguments: list[str]) -> None:
    method, headers, body, url, shows_headers = "", ["Connection: close"], b"", "", False
    while arguments:
        match arguments.pop(0):
            case "-s":
                pass
            case "-si":
                shows_headers = True
            case "-X":
                method = arguments.pop(0)
            case "-H":
                headers.append(arguments.pop(0))
            case "-d":
                body = arguments.pop(0).encode()
                headers.append(f"Content-Length: {len(body)}")
            case option if option.startswith("-"):
                sys.exit(f"curl: this one does not know {option}")
            case url:
                pass
    host, _, path = url.removeprefix("http://").partition("/")
    head = [f"{method or ('POST' if body else 'GET')} /{path} HTTP/1.1", f"Host: {host}", *headers, "", ""]
    name, _, port = host.partition(":")
    with socket.create_connection((name, int(port)), timeout=60) as connection:
        connection.sendall("\r\n".join(head).encode() + body)
        answer = connection.makefile("rb").read()
    sys.stdout.buffer.write(answer if shows_headers else answer.partition(b"\r\n\r\n")[2])


if __name__ == "__main__":
    main(sys.argv[1:])
