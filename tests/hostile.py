"""500 texts that break what takes text for anything but text, by kind (trust.md 3, A13, A18–A24).

Written here from public descriptions, named at each kind; none is another project's list. `CORPUS`
is every one of them in a fixed order, no two the same. No text has a lone surrogate: those cannot
be sent but as an escape of JSON (`SURROGATES`), and are refused where JSON is read.
"""

from __future__ import annotations

from itertools import product

ACTS = ("=", "+", "-", "@", "\t=", "\r=")
FORMULAS = ("1+1", "SUM(A1:A9)", "cmd|' /C calc'!A0", 'HYPERLINK("http://x.example","pay")',
            'IMPORTXML("http://x.example","//a")', 'WEBSERVICE("http://x.example/")')
EVENTS = ("onerror", "onload", "onfocus", "onmouseover", "onanimationstart", "ontoggle")
BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
HIDDEN = "\u00ad\u034f\u115f\u180e\u200b\u200c\u200d\u2060\u2061\u2063\u3164\ufeff\ufff9\U000e0041"
SPACES = "\u00a0\u1680\u2000\u2003\u2007\u2009\u200a\u202f\u205f\u3000"
BREAKS = "\n\v\f\r\x1c\x1e\x85\u2028\u2029"
DIGITS = ("１６", "٣٢", "१६", "𝟙𝟞", "Ⅻ", "¹⁶", "⑯", "1_0", "0x10", "1e999", "NaN", "-0", "Infinity",
          "1,000", "16.0", "１．５", "9" * 40, "2147483648", "9223372036854775808")
SURROGATES = ('"\\ud800"', '"\\udfff"', '"a\\ud83d"', '"\\ude00\\ud83d"', '"\\uDC00x"')

# fmt: off
KINDS: dict[str, list[str]] = {
    # Unicode, chapter 23 and C0/C1: what ends a line, a string or a terminal's patience
    "control": [f"a{chr(n)}b" for n in (*range(0x20), *range(0x7F, 0xA0))],
    "breaks": [f"{one}Bay" for one in BREAKS] + ["Bay\r\n\r\nBay", "a\n\nb", "\r\n", "a\n\r b"],
    # UAX 9: letters that turn the others round; CVE-2021-42574 is the well known use
    "bidi": [f"a{one}b" for one in BIDI] + ["\u202egnp.exe", "\u2067/* x \u2069*/", "שלום",
            "مرحبا 12 A", "\u202e" * 9, "a\u202e1\u202c2", "עברית (Bay 1)", "\u200fBay"],
    # UTS 39 and UAX 31: what is there and not seen, and what looks like something else
    "hidden": [f"Ba{one}y" for one in HIDDEN] + ["\u200b", "\u2060" * 9, "\ufeffBay"],
    "spaces": [f"Bay{one}1" for one in SPACES] + ["   ", "\u00a0", " Bay", "Bay ", "a  b"],
    "twins": ["ВАҮ 1", "Вay 1", "Bаy 1", "Ｂａｙ １", "𝐁𝐚𝐲 𝟏", "Bаy\u00a01", "ʙᴀʏ 1", "раypal",
              "аdmin", "Instаller", "ΕV", "ᎪꓢSEMBLER", "Assembler ", "ASSEMBLER"],
    # UAX 15: the same letter in two ways
    "normal": ["é", "e\u0301", "Å", "A\u030a", "\u212b", "ﬁ", "fi", "ǆ", "한", "\u1112\u1161\u11ab",
               "Ω", "\u2126", "ﷺ", "ẛ̣", "a\u0315\u0300", "a\u0300\u0315", "㎏", "½"],
    # SpecialCasing.txt: letters whose case has another length, or depends on the language
    "case": ["i", "İ", "I", "ı", "i\u0307", "ß", "ẞ", "SS", "ΣΑΣ", "σας", "ŉ", "ǰ", "ﬃ", "K",
             "\u212a", "ſ", "Ⱥ", "ᾳ", "TITLE İSTANBUL", "straße"],
    "digits": list(DIGITS),
    "combining": ["e" + "\u0301" * 9, "Z\u0351\u036b\u0343\u032a\u0302", "\u0301", "\u0e33" * 5,
                  "ก็็็็็", "\u20dd", "a\u20e3", "\u0489" * 5, "नि", "க்ஷ", "\u0336B\u0336a"],
    # UTS 51
    "emoji": ["🚗", "👩🏽‍🔧", "👨‍👩‍👧‍👦", "🏳️‍🌈", "🇩🇪", "🇩", "1️⃣", "👍🏿", "❤️", "🔌⚡🔋", "🧑‍🚀" * 3,
             "\U0001f3f4\U000e0067\U000e007f",
              "\U0001f3f4\U000e0062", "☠︎", "\U0001f9ff", "😀😃😄", "\ufe0f"],
    "planes": ["𠜎𠜱", "\U0010ffff", "\ufffe", "\uffff", "\ufdd0", "\ue000", "\ufffd", "\U0001d11e",
               "\U000f0000", "田中さん", "사회과학원", "ไทย", "ქართული", "Ελληνικά", "Ünü"],
    # CWE-1236, and OWASP's page on CSV injection
    "formula": [f"{act}{what}" for act, what in product(ACTS, FORMULAS)]
               + ["=", "+", "-", "@", "'=1", "''=1", "＝1+1", "\u00a0=1", " =1", "%0A=1"],
    "csv": [",", ";", "\t", '"', '""', '"""', "'", 'a","b', "a;b", "a,b", '"a', 'a"', "a|b", "\\",
            '\\"', "a\\", '"a\r\nb"', ',"=1",', "sep=;", "#", "TAG,Name", "200,x", "900",
             "300,2026",
            "NULL", "\\N"],
    # CWE-79: HTML, its attributes, SVG and MathML; OWASP names the contexts
    "html": ["<script>alert(1)</script>", "<script src=//x.example></script>", "<ScRiPt>hit()",
             "</script><script>hit()</script>", "<b>bold</b>", "</td></tr></table>", "<!--", "-->",
             "]]>", "<![CDATA[x]]>", "<?xml?>", "&lt;b&gt;", "&amp;", "&#60;b&#62;", "&nbsp;", "<",
             ">", "&", "<a href=javascript:hit()>x</a>", "<iframe srcdoc='<b>'>", "<base href=//x>",
             "<meta http-equiv=refresh content=0>", "<link rel=stylesheet href=//x>", "<form>",
             "<input autofocus>", "<svg><script>hit()</script></svg>", "<math><mi xlink:href=x>",
             "<object data=x>", "<embed src=x>", "<template>", "<noscript><p title='</noscript>",
             "</title><b>", "</textarea><b>", "</style><b>", "<plaintext>", "<x-y z=1>",
             '" autofocus onfocus="hit()', "' onclick='hit()", "` onclick=hit()", '"><b>', "'><b>"]
            + [f"<img src=x {event}=hit()>" for event in EVENTS]
            + [f"<svg {event}=hit()>" for event in EVENTS],
    "script": ["javascript:hit()", "JaVaScRiPt:hit()", "java\tscript:hit()", "data:text/html,<b>",
               "vbscript:x", "';hit();//", '";hit();//', "\\';hit()//", "</script", "`${hit()}`",
               "__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "undefined",
               "null", "true", "[object Object]", "){hit()}", "\\u003cb\\u003e", "\\x3cb\\x3e",
               "eval(hit)", "0;url=//x"],
    "style": ["url(//x.example)", "expression(hit())", "}*{display:none", "color:red;}",
             "@import 'x'",
              "/*", "*/", "\\3c b\\3e", "behavior:url(x)", "--x:1", "!important",
              "position:fixed;inset:0"],
    # CWE-1336 and CWE-134: templates and format strings
    "template": ["{{7*7}}", "{{constructor.constructor('hit()')()}}", "{% raw %}", "{# x #}",
             "${7*7}",
                 "#{7*7}", "<%= 7*7 %>", "{0}", "{name}", "{__class__}", "{0.__init__}", "{", "}",
             "{}",
                 "[[7*7]]", "$(id)", "%s%s%n", "%(password)s", "%d", "%x" * 5, "%%", "%", "{!r}",
                 "{{{{", "$name", "@{x}", "*{7*7}"],
    # CWE-89 and CWE-78
    "sql": ["' OR '1'='1", "'; DROP TABLE tags;--", "Robert'); --", '" OR ""="', "1; SELECT 1",
             "--",
            "/**/", "' UNION SELECT 1,2 --", "%", "_", "a%b", "a_b", "\\%", "LIKE '%'",
             "x' AND 1=1",
            "`tags`", "[tags]", "tags.name", "ORDER BY 1", "?1", ":name", "$1", "GLOB *",
            "ATTACH 'x' AS y", "PRAGMA x", "load_extension('x')"],
    "shell": ["; id", "| id", "& id", "&& id", "`id`", "$(id)>x", "\n id", "> /tmp/x", "*", "?",
             "~", "!!",
              "-rf", "--help", "-", "\\", "a b", "$HOME", "%PATH%", "'", "x; shutdown now",
             "||true",
              "^", "(id)"],
    # CWE-22, and names that a file system keeps for itself
    "path": ["../../etc/passwd", "..\\..\\x", "/etc/shadow", "C:\\x", "\\\\x\\y",
             "file:///etc/passwd",
             "%2e%2e%2f", "..%2f", "..%c0%af", "%00", "a%00.png", "....//", "./.", ".", "..", "/",
             "//",
             "CON", "NUL", "aux.txt", "a/b", "a\\b", "~root", "a?b#c", "a#b", "a&b=c", "%", "%zz",
             "%25", "a+b", "x:y@z", "http://127.0.0.1/"],
    # CWE-117: what makes a second line of a log, or colours the first; ECMA-48
    "log": ["x\r\n2026-01-01T00:00:00.000Z: [LINKRAY ] all is well", "\x1b[2J\x1b[H", "\x1b[31mred",
            "\x1b]0;title\x07", "\x9b31m", "a\bb", "\x1b[8mhidden", "\x1b(0", "a\x00b: c",
             "\x07\x07",
            "[CSMS    ] R", "Repeated 9 times", "x (level=error)", "\x1b[1A\x1b[2K", "\\r\\n",
            "%0d%0aSet-Cookie: a=b", "x\r\nSet-Cookie: a=b", "\r", "a\x85b"],
    "json": ['{"a":1}', "[1]", '","x":"', "}", '\\"', "\\", "\\u0000", "\\ud800", '"}]', "/*x*/",
             "NaN", "{'a':1}", '[3,"x",{}]', '[2,"1","Reset",{}]'],
    "long": ["x" * n for n in (20, 21, 36, 48, 49, 50, 51, 100, 101, 255, 256, 4096, 60_000)]
            + ["W" * 50, "Wort " * 10, "ä" * 50, "🚗" * 50, "\u202e" * 50, "a" * 49 + "é"],
    "empty": ["", " ", "\u3000", "-", "_", "0", "1", "00", "false", "None", "nil", "LINKRAY"],
}
# fmt: on
CORPUS: list[str] = list(dict.fromkeys(text for kind in KINDS.values() for text in kind))
