"""Forms of names that can be compared: one way of writing, one script, any order.

Belongs here: what is done to a name before two of them are compared. Does not belong here: comparing (record_linkage).

Everything works on whole columns. The reading of a Chinese character is looked up once a character, not once a name.
"""

from __future__ import annotations

import re

import polars as pl

# Characters that are read otherwise when they are a surname (Standardised Forms of Words with Variant Forms, and common reference lists of surnames).
SURNAME_READINGS = {
    "单": "shan", "曾": "zeng", "仇": "qiu", "解": "xie", "查": "zha", "区": "ou", "任": "ren", "华": "hua", "翟": "zhai", "盖": "ge",
    "朴": "piao", "尉": "wei", "乐": "yue", "覃": "qin", "缪": "miao", "折": "she", "黑": "he", "秘": "bi", "冼": "xian", "洗": "xian",
    "员": "yun", "晁": "chao", "逄": "pang", "种": "chong", "召": "shao", "尹": "yin", "沈": "shen", "石": "shi", "葛": "ge", "宁": "ning",
    "燕": "yan", "纪": "ji", "哈": "ha", "柏": "bai", "薄": "bo", "车": "che", "重": "chong", "都": "du", "会": "gui", "那": "na",
}  # fmt: skip
# Forms of a company, longest first: what is left is the name by which it is known.
LEGAL_FORMS_ZH = (
    "股份有限公司", "有限责任公司", "集团有限公司", "控股有限公司", "有限合伙", "普通合伙", "合伙企业", "分公司", "有限公司", "总公司", "公司", "集团",
)  # fmt: skip
LEGAL_FORMS = (
    "company limited", "co ltd", "pte ltd", "pty ltd", "limited liability company", "incorporated", "corporation", "company", "limited",
    "gmbh and co kg", "gmbh", "group", "corp", "inc", "ltd", "llc", "llp", "plc", "kg", "ag", "sarl", "sas", "srl", "spa", "bv", "nv", "ab", "oy", "co",
)  # fmt: skip
# Two surnames of two characters each are one token; the commonest are enough.
DOUBLE_SURNAMES = (
    "欧阳",
    "司马",
    "上官",
    "诸葛",
    "东方",
    "皇甫",
    "尉迟",
    "公孙",
    "慕容",
    "令狐",
    "司徒",
    "端木",
    "夏侯",
    "长孙",
    "宇文",
    "南宫",
)
_HAN = r"\p{Han}"
SCHEMA = {
    "name": pl.String,
    "plain": pl.String,
    "romanised": pl.String,
    "letters": pl.String,
    "core": pl.String,
    "is_chinese": pl.Boolean,
    "has_legal_form": pl.Boolean,
}


def _syllable(text: str) -> str:
    """One spelling of ü: passports write yu, input methods v, many people u."""
    return re.sub(r"^([ln])(?:v|yu|ü)(?=e?$)", r"\1u", text)


def _readings(names: pl.Series) -> dict[str, str]:
    """Chinese character -> its pinyin without tones, for every such character in `names`."""
    from pypinyin import lazy_pinyin

    found = (
        names.str.extract_all(_HAN)
        .explode(empty_as_null=False, keep_nulls=False)
        .drop_nulls()
        .unique()
        .sort()
        .to_list()
    )
    return {character: _syllable(lazy_pinyin(character)[0].lower()) for character in found}


def _spelled(column: pl.Expr, readings: dict[str, str]) -> pl.Expr:
    return column.str.replace_many(list(readings), list(readings.values())) if readings else column


def name_forms(names: pl.Series) -> pl.DataFrame:
    """Comparable forms of each different name.

    Args:
        names: names as sources write them; nulls and repeated ones are left out.

    Returns:
        One row per different name, sorted by it: `name`; `plain`, folded (Unicode NFKC, small letters, no punctuation), Chinese without spaces,
        other scripts as sorted words; `romanised`, the words in Latin letters, sorted (a Chinese name is surname and given name); `letters`, all
        letters of it sorted, which is the same in either order, with and without spaces, in characters and in pinyin; `core`, the letters without
        the forms of a company; `is_chinese`; `has_legal_form`. A name without a letter or digit has null forms.
    """
    if names.null_count() == len(names):
        return pl.DataFrame(schema=SCHEMA)
    distinct = pl.DataFrame({"name": names.cast(pl.String)}).drop_nulls().unique().sort("name")
    folded = distinct.with_columns(
        folded=pl.col("name")
        .str.normalize("NFKC")
        .str.to_lowercase()
        .str.replace_all(r"[’'`]", "")
        .str.replace_all(r"[^\p{L}\p{N}]+", " ")
        .str.strip_chars()
    ).with_columns(is_chinese=pl.col("folded").str.contains(_HAN))
    closed = pl.col("folded").str.replace_all(" ", "")
    folded = folded.with_columns(closed=pl.when("is_chinese").then(closed).otherwise("folded"))
    # What a company is called without its form; several forms may follow each other.
    zh = f"(?:{'|'.join(LEGAL_FORMS_ZH)})+$"
    latin = rf"(?: (?:{'|'.join(LEGAL_FORMS)}))+$"
    folded = folded.with_columns(
        stripped=pl.when("is_chinese")
        .then(pl.col("closed").str.replace(zh, ""))
        .otherwise(pl.col("closed").str.replace(latin, ""))
    ).with_columns(has_legal_form=pl.col("stripped") != pl.col("closed"))
    readings = _readings(folded["closed"])
    double = "|".join(DOUBLE_SURNAMES)
    # Surname and given name of two to four characters; longer ones are no names of people.
    surname = pl.col("closed").str.extract(rf"^({double}|{_HAN}){_HAN}{{1,3}}$", 1)
    given = pl.col("closed").str.strip_prefix(surname)
    as_surname = pl.when(surname.str.len_chars() == 1).then(surname.replace(SURNAME_READINGS)).otherwise(surname)
    person = pl.concat_str(_spelled(as_surname, readings), pl.lit(" "), _spelled(given, readings))
    spelled = folded.with_columns(
        romanised=pl.when("is_chinese").then(pl.coalesce(person, _spelled(pl.col("closed"), readings))).otherwise("closed"),
        core_text=pl.when("has_legal_form").then(_spelled(pl.col("stripped"), readings)).otherwise(
            pl.when("is_chinese").then(_spelled(pl.col("closed"), readings)).otherwise("closed")
        ),
    )  # fmt: skip
    words = (
        pl.col("romanised")
        .str.split(" ")
        .list.eval(pl.element().str.replace(r"^([ln])(?:v|yu|ü)(e?)$", "${1}u${2}"))
        .list.sort()
    )
    spelled = spelled.with_columns(romanised=words.list.join(" "))

    def sorted_letters(column: str) -> pl.Expr:
        """Numbers stay as they are: shop 12 is not shop 21."""
        return pl.col(column).str.replace_all(r"[ \d]", "").str.split("").list.sort().list.join("") + pl.col(
            column
        ).str.replace_all(r"\D", "")

    made = spelled.with_columns(
        plain=pl.when("is_chinese").then("closed").otherwise("romanised"),
        letters=sorted_letters("romanised"),
        core=sorted_letters("core_text"),
    )
    forms = ("plain", "romanised", "letters", "core")
    return made.with_columns(pl.when(pl.col(form) != "").then(form).alias(form) for form in forms).select(list(SCHEMA))
