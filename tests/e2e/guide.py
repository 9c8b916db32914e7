"""The guides in doc/ as programs: what a reader would type, in order, with what the guide says to see.

A fenced block has one of these languages:

    sh      typed into one shell, all blocks of a guide one after another; it ends at the first command that fails.
            A line that ends in a comment `# refused...` is a command that has to end with exit status 1 or 2.
    sql     typed into sqlite3 on the database of rules
    cf      lines of main.cf, or of master.cf
    conf    lines of gatepost.conf
    text    what the block before it prints. `...` stands for anything, on a line of its own for any lines. Times are
            not compared, nor how many blanks there are.

A command in `backquotes` within the text, such as `gatepost set relay_for nobody`, is run as well, by itself, on a
database without rules. Where it is but the name of one, as `gatepost add grant`, that command must exist. A comment
<!-- test: NAME --> has the test do NAME, such as sending mail. Indented blocks are not run, and must hold no command.
"""

import re
from typing import NamedTuple

LANGUAGES = ("sh", "sql", "cf", "conf", "text")
COMMANDS = ("gatepost", "gatepostd", "postconf", "postfix", "postmap", "sqlite3")
NAMES = re.compile(r"^gatepost (explain|replay|undo|backup|set \w+|(add|remove|import|export) \w+)$")
REFUSED = re.compile(r"^(.*\S)\s+# refused\b.*$")
TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?Z?)?")


class Block(NamedTuple):
    kind: str    # a language, or "do" for <!-- test: ... -->
    text: str
    line: int    # of its first line, counted from 1
    output: str = None  # what it has to print, where the guide says so


def blocks(text):
    """The blocks of a guide, in order; ValueError where it holds something that nobody would run."""
    found, lines, language, begin = [], [], None, 0
    for number, line in enumerate(text.splitlines(), 1):
        fence = re.match(r"^\s*```\s*(\S*)", line)
        if language is None and fence:
            language, lines, begin = fence[1], [], number + 1
            if language not in LANGUAGES:
                raise ValueError("line %d: a block of %r" % (number, language))
        elif fence:
            _add(found, Block(language, "\n".join(lines) + "\n", begin))
            language = None
        elif language is not None:
            lines.append(line)
        elif done := re.match(r"^<!-- test: (.*\S) -->$", line):
            found.append(Block("do", done[1], number))
        elif line.count("`") % 2:
            raise ValueError("line %d: a command that goes on in the next line, which nobody runs" % number)
        elif re.match(r"^(    |\t)\s*(%s)\b" % "|".join(COMMANDS), line):
            raise ValueError("line %d: a command in an indented block, which nobody runs" % number)
    if language is not None:
        raise ValueError("line %d: a block that does not end" % begin)
    return found


def _add(found, block):
    if block.kind != "text":
        found.append(block)
    elif found and found[-1].kind in ("sh", "sql") and found[-1].output is None:
        found[-1] = found[-1]._replace(output=block.text)
    else:
        raise ValueError("line %d: output of nothing" % block.line)


def inline_commands(text):
    """The commands in backquotes, in order, each once; of mere names, their help is asked for."""
    found = []
    outside = re.sub(r"(?ms)^\s*```.*?^\s*```\s*$", "", text)
    for span in re.findall(r"`([^`\n]+)`", outside):
        word, _, rest = span.partition(" ")
        if word in COMMANDS and rest and span not in found:
            found.append(span + " --help" if NAMES.match(span) else span)
    return found


def script(text):
    """A block of sh, with what has to be refused said to be so."""
    return "".join(REFUSED.sub(r"refused \1", line) + "\n" for line in text.splitlines())


def is_printed(seen, expected):
    """Whether `seen` is the output that a guide shows; see above."""
    pattern = ""
    for line in expected.strip("\n").splitlines():
        if line.strip() in ("...", "\u2026"):
            pattern += r"(?:.*\n)*?"
        else:
            pattern += r"\s+".join(_pattern_of_word(word) for word in _plain(line).split()) + r"\n"
    plain = "".join(" ".join(_plain(line).split()) + "\n" for line in seen.strip("\n").splitlines())
    return re.fullmatch(pattern, plain) is not None


def _plain(line):
    return TIME.sub("TIME", line)


def _pattern_of_word(word):
    return r".*".join(re.escape(part) for part in word.replace("\u2026", "...").split("..."))
