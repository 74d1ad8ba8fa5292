# ruff: noqa: RUF001
"""Names as nobody should send them: none of them may become a model, a tag, an environment or a path."""

# fmt: off
NAMES = [
    # nothing, and less than it looks
    "", " ", "  ", "\t", "\n", "\r\n", "\0", "\u200b", "\ufeff", "\u3164", "\u00a0", "\u2028", "\u2029", "\x7f", "\x1b",
    # paths
    ".", "..", "...", "/", "//", "../", "./a", "../a", "../../etc/passwd", "a/../b", "a/b", "/etc/passwd", "a//b", "a/",
    "\\", "..\\a", "..\\..\\windows\\win.ini", "C:\\a", "C:a", "\\\\server\\share", "file:///etc/passwd", "~", "~root",
    "$HOME", "${HOME}", "%APPDATA%", "a\0b", "a\0.tar.gz", "..%2f..%2fetc", "%2e%2e%2f", "..%c0%af", "..;/", "....//",
    # what shells, formats and templates would run
    "$(id)", "`id`", "a;id", "a|id", "a&id", "a>b", "-", "--", "-rf", "--help", "-a", "%s%s%s", "%n", "%d", "{0}",
    "{0.__class__}", "{{7*7}}", "{% debug %}", "${7*7}", "#{7*7}", "<%= 7 %>", "${jndi:ldap://a}", "=1+1", "+1", "@a",
    # what databases and pages would
    "' OR 1=1 --", "'; DROP TABLE environments_tag; --", "1;SELECT 1", "\" OR \"\"=\"", "a'", "a\"", "a`b", "/*", "*/",
    "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "javascript:alert(1)", "<!--", "]]>", "&lt;", "a&b",
    # headers
    "a\r\nSet-Cookie: x=1", "a\nb", "a\rb", "a; filename=b", "a\"; filename=\"b", "a, b", "W/\"a\"", "*", "a=b", "a:b",
    # letters that are none of ours
    "ä", "é", "e\u0301", "ß", "ſ", "ı", "İ", "\u212a", "Ω", "пароль", "аdmin", "раураl", "ｐｒｏｄ", "𝓹𝓻𝓸𝓭", "ⓟⓡⓞⓓ",
    "你好", "こんにちは", "안녕", "مرحبا", "שלום", "नमस्ते", "ไทย", "٣", "３", "²", "①", "Ⅳ", "½", "½a", "ﬁ", "ﷺ",
    # direction, joins, and marks without end
    "\u202egz.rat", "a\u202eb", "\u200fa", "a\u200bb", "a\u200db", "a\u2060b", "\u0300", "a" + "\u0301" * 50, "Z͑ͫ̓ͪ̂",
    # emoji
    "😀", "👨‍👩‍👧", "🏴‍☠️", "🇩🇪", "❤️", "1️⃣", "model-🦦",
    # half characters and none
    "\ud800", "a\udfff", "\ufffe", "\uffff", "\U0010ffff", "\ufffd", "\ue000",
    # too long
    "a" * 201, "a" * 1000, "a" * 10_000, "ä" * 200, "😀" * 100, "." * 300, "a." * 200,
]
# fmt: on

# Odd, and good for a model all the same.
ODD_MODELS = [
    *("A", "0", "a.b", "a_b", "A-1", "1.", "a..", "a...b", "a" * 200, "production", "LATEST", "latest", "active"),
    *("CON", "nul", "COM1", "LPT9.txt", "aux", "a.exe", "a.zip", "a.gz", "a.tar", "1e309", "0x1F", "NaN", "null"),
    *("None", "undefined", "constructor", "metadata.json", "index.html", "incoming", "Tags", "jobs."),
]
