"""The keys under which entities in JSON have what they consist of."""

from collections.abc import Sequence

Keys = Sequence[str]

# Keys, as `plain` has them, under which an entity names all its tokens.
INDICES = ("index", "indices", "tokenindices")

# Keys without what is no letter or digit, in small letters; those that say most of all first.
STARTS: Keys = """startchar charstart startoffset offsetstart characteroffsetbegin beginoffset
offsetbegin charbegin startpos startposition startidx startindex start begin beginidx beginindex
beginpos spanstart entitystart posstart from s 开始位置 起始位置 开始""".split()  # noqa: SIM905
ENDS: Keys = """endchar charend endoffset offsetend characteroffsetend endpos endposition endidx
endindex end stop spanend entityend posend finish to e 结束位置 终止位置 结束""".split()  # noqa: SIM905
TOKEN_STARTS: Keys = ["tokenstart", "starttoken", "starttokenidx", "starttok", "tokstart"]
TOKEN_ENDS: Keys = ["tokenend", "endtoken", "endtokenidx", "endtok", "tokend"]
LENGTHS: Keys = ["length", "len", "regionlength"]
OFFSETS: Keys = ["offset", "regionoffset", *STARTS]
PAIRS: Keys = """offsets offset span spans pos position positions indices index idx range charspan
tokenspan location locations interval startend entitypos 位置""".split()  # noqa: SIM905
LABELS: Keys = """label entitytype entitylabel labeltype entitygroup entityclass type tag tagname
category displayname extractorname slotname labels categoryname tagtype class nertag nerlabel ner
obj entitycategory class classname annotationtype semantictype types tags title entity slot
alias key name value 类型 标签 实体类型""".split()  # noqa: SIM905
SURFACES: Keys = """text surface mention surfaceform word entitytext entityname entitymention
spantext textspan mentiontext phrase span token coveredtext content string form entity 实体 实体名称
文本""".split()  # noqa: SIM905
# What these hold is often not what stands in the text, but what is meant by it.
VALUES: Keys = ["value", "name", "body", "term"]


def plain(key: str) -> str:
    """A key in small letters, without what is no letter or digit: "startOffset" and "start_offset"
    are one."""
    return "".join(filter(str.isalnum, key.lower()))
