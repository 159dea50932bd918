"""Root causes of complaints by their text: a linear classifier that says how sure it is, its test on later time, and what it has not met before.

Belongs here: tokens and features of texts, the fit, its calibration, its test, the gate between an older and a newer model, scores, the words of a cause
and the search for new causes. Does not belong here: what agents, systems and rules say of a cause (SQL, `ftr_complaint_evidence`), and the taxonomy.

Text: letters of any script in words, Han characters one by one, simplified; everything else only separates. Features are the tokens, pairs of
neighbours, the four-letter parts of longer words, and the topic and product of the complaint. So a Chinese text has one- and two-character n-grams
and needs no dictionary of words, an English one words, pairs and parts of words, and one model reads both and texts that mix them.

Weights are (1 + ln count) x idf, rows of length 1 (G. Salton and C. Buckley, "Term-weighting approaches in automatic text retrieval", *Information
Processing & Management* 24, 1988). The model is a linear support vector machine, one cause against the rest (R.-E. Fan et al., "LIBLINEAR", *JMLR* 9,
2008). Its margins are no probabilities: the probability that the best answer is right is a logistic function of its margin and of its lead over the
second, fitted on cases the model has not learned from (J. Platt, "Probabilistic outputs for support vector machines", 1999). A text that is like none
of the known ones has a low margin for every cause, so its probability is low and the answer is unknown.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MODEL_VERSION = "1"
COST = 0.3
"""Cost of an error in the support vector machine (its C)."""
_TOKENS, _PAIRS, _PARTS = 30_000, 60_000, 30_000
"""Features of a kind at most, the most frequent ones."""
NEW = 0.05
"""Share of texts whose cause is taken to be known to nobody yet, in the calibration."""
_PART = 4
_BATCH = 50_000
_LONGEST = 40
"""Letters of a word at most: longer ones are no words."""
_TEXT = 20_000
"""Characters of a text at most."""
_MARK = "§"
"""Begins a feature that is no text; alone it separates."""
_UNKNOWN_CASES = 5_000
_LIKE = 0.35
"""Cosine from which on two unknown texts are alike."""

_TRADITIONAL = (
    "帳單費係話機網絡線號碼請問題訴員說對應該為麼還沒開關個們這來時後點兩過進連電訊現業務處理態度聽讓給錢發簽訂條約續買賣貴價準確認證據實際錄"
    "賬戶辦維報師傅遲誤斷壞車頭東馬體與學會國語長門間見覺觀親視聯繫繼絕統計設備許試詢詳變議護負責貨質購資賠償贈達運遠選適郵鄰銀鐵錯鍵鎖響項預"
    "顧顯類顏風飛餘館驗鬆鬧龍億傳傷傾僅價優儲兒內冊凍減劃別剛動勞勢區協參雙啟嗎嚴園圖團塊場壓夠夢奪奮婦媽寫寬寶專尋導屬層幾庫廠廣廢彈彙徑從復"
    "態慣懷戰戲戶擇擊擔擬擾攔敗敵數整曆曉條極構樓標樣機歡歲歸殘氣決況測濟準滿漢潔澤濫災烏煩熱爭牆狀獎獨獲環產畫異當療盡監盤盧礙禮種積稱穩窮競筆"
    "簡糧紀紅純紙級細終組結給絡經綠維綱網緊線練縣總績織罰罷職聯聲肅腦腳臨舉舊華萬葉藍藝虛蟲術衛補裝複規訂討訓記訪評詞該誠誰調談謝證譯讀貝財貿費"
)
_SIMPLIFIED = (
    "账单费系话机网络线号码请问题诉员说对应该为么还没开关个们这来时后点两过进连电讯现业务处理态度听让给钱发签订条约续买卖贵价准确认证据实际录"
    "账户办维报师傅迟误断坏车头东马体与学会国语长门间见觉观亲视联系继绝统计设备许试询详变议护负责货质购资赔偿赠达运远选适邮邻银铁错键锁响项预"
    "顾显类颜风飞余馆验松闹龙亿传伤倾仅价优储儿内册冻减划别刚动劳势区协参双启吗严园图团块场压够梦夺奋妇妈写宽宝专寻导属层几库厂广废弹汇径从复"
    "态惯怀战戏户择击担拟扰拦败敌数整历晓条极构楼标样机欢岁归残气决况测济准满汉洁泽滥灾乌烦热争墙状奖独获环产画异当疗尽监盘卢碍礼种积称稳穷竞笔"
    "简粮纪红纯纸级细终组结给络经绿维纲网紧线练县总绩织罚罢职联声肃脑脚临举旧华万叶蓝艺虚虫术卫补装复规订讨训记访评词该诚谁调谈谢证译读贝财贸费"
)
_SIMPLER = {a: b for a, b in zip(_TRADITIONAL, _SIMPLIFIED, strict=True) if a != b} | {"帐": "账"}


@dataclass(frozen=True)
class Limits:
    """Numbers of `seeds/service_thresholds.csv`.

    Attributes:
        answer: probability from which on a cause is given.
        settle_days: days between the last close that is learned from and the month.
        test_days: days whose cases test.
        minimum_cases, minimum_class, minimum_test: fewest cases of a model, of a cause in it and of a test.
        gate_margin: macro-F1 that a newer model may lose against the older one.
        word_cases: customers' cases that a shown word needs.
    """

    answer: float
    settle_days: int
    test_days: int
    minimum_cases: int
    minimum_class: int
    minimum_test: int
    gate_margin: float
    word_cases: int

    @classmethod
    def of(cls, thresholds: Mapping[str, float]) -> Limits:
        """Of the lines `cause_*` of the seed."""
        return cls(
            answer=float(thresholds["cause_answer"]),
            settle_days=int(thresholds["cause_settle_days"]),
            test_days=int(thresholds["cause_test_days"]),
            minimum_cases=int(thresholds["cause_minimum_cases"]),
            minimum_class=int(thresholds["cause_minimum_class"]),
            minimum_test=int(thresholds["cause_minimum_test"]),
            gate_margin=float(thresholds["cause_gate_margin"]),
            word_cases=int(thresholds["cause_word_cases"]),
        )


CASES: dict[str, Any] = {"complaint_id": pl.String, "customer_key": pl.String, "text": pl.String, "topic": pl.String, "product_line": pl.String,
         "language": pl.String, "closed_on": pl.Date, "cause": pl.String}  # fmt: skip
"""Columns of the cases that a model learns from."""
QUALITY: dict[str, Any] = {"role": pl.String, "is_used": pl.Boolean, "language": pl.String, "root_cause": pl.String, "cases": pl.Int64, "answered": pl.Int64, "predicted": pl.Int64,
           "hits": pl.Int64, "precision": pl.Float64, "recall": pl.Float64, "f1": pl.Float64, "macro_f1": pl.Float64, "learned_until": pl.Date, "tested_from": pl.Date, "tested_to": pl.Date}  # fmt: skip
WORDS: dict[str, Any] = {"language": pl.String, "root_cause": pl.String, "rank": pl.Int64, "word": pl.String, "weight": pl.Float64, "cases": pl.Int64, "example_complaint_id": pl.String}  # fmt: skip
FEATURES: dict[str, Any] = {"kind": pl.Int64, "feature": pl.String, "idf": pl.Float64, "weights": pl.List(pl.Float32)}
ANSWERS: dict[str, Any] = {"root_cause": pl.String, "probability": pl.Float64, "second_cause": pl.String}
CANDIDATES: dict[str, Any] = {"candidate": pl.Int64, "words_en": pl.String, "words_zh": pl.String, "topic": pl.String, "cases": pl.Int64, "cases_28d": pl.Int64, "cases_before_28d": pl.Int64,
              "first_opened_on": pl.Date, "last_opened_on": pl.Date, "example_complaint_ids": pl.List(pl.String), "complaint_ids": pl.List(pl.String)}  # fmt: skip


def code_digest() -> str:
    """Digest of this module and of the libraries it computes with: a stored model of another one is fitted anew."""
    from importlib.metadata import version

    digest = hashlib.sha256(Path(__file__).read_bytes())
    digest.update(" ".join(version(name) for name in ("numpy", "polars", "scikit-learn", "scipy")).encode())
    return digest.hexdigest()


# -- texts to features -------------------------------------------------------------------------------------------------


def _plain(texts: pl.Series) -> pl.Series:
    plain = texts.fill_null("").str.slice(0, _TEXT).str.normalize("NFKC").str.to_lowercase()
    return plain.str.replace_many(list(_SIMPLER), list(_SIMPLER.values()))


def tokens(texts: pl.Series) -> pl.Series:
    """Tokens of each text: words of letters in small letters, and single Han characters in simplified form.

    Args:
        texts: strings; null is empty. Of each the first 20,000 characters are read.

    Returns:
        A list of strings for each text.
    """
    return _plain(texts).str.extract_all(rf"\p{{Han}}|[\p{{L}}&&[^\p{{Han}}]]{{1,{_LONGEST}}}")


@dataclass(frozen=True)
class _Flat:
    """Tokens of all texts one after another: text of each, number of each in `names`, and the distinct names."""

    size: int
    document: Integers
    token: Integers
    names: list[str]


def _flat(cases: pl.DataFrame) -> _Flat:
    """Tokens of the cases, those of topic and product first; a separator keeps them from being neighbours of the text."""
    size = cases.height
    known = [
        pl.format(_MARK + name + "={}", pl.col(name)) for name in ("topic", "product_line") if name in cases.columns
    ]
    lists = cases.select(tokens(cases["text"]).alias("tokens"), *[k.alias(f"k{i}") for i, k in enumerate(known)])
    parts = [x for i in range(len(known)) for x in (pl.col(f"k{i}").fill_null(_MARK), pl.lit(_MARK))]
    if parts:
        lists = lists.select(pl.concat_list(*parts, pl.col("tokens")).alias("tokens"))
    long = lists.select(pl.col("tokens")).with_row_index("document").explode("tokens").drop_nulls()
    names = long["tokens"].unique().sort()
    numbers = (
        long["tokens"].cast(pl.Enum(names)).to_physical().cast(pl.Int64)
        if len(names)
        else pl.Series([], dtype=pl.Int64)
    )
    return _Flat(size, long["document"].cast(pl.Int64).to_numpy(), numbers.to_numpy(), names.to_list())


@dataclass(frozen=True)
class Vocabulary:
    """Features and their idf: tokens, pairs (as numbers of their tokens, sorted) and parts of words."""

    tokens: list[str]
    pairs: Integers
    parts: list[str]
    idf: Floats

    @property
    def size(self) -> int:
        return len(self.tokens) + len(self.pairs) + len(self.parts)

    def names(self) -> list[tuple[int, str]]:
        """Kind (1 token, 2 pair, 3 part) and name of each feature; a pair is its two tokens with a space."""
        width = max(len(self.tokens), 1)
        pairs = [f"{self.tokens[code // width]} {self.tokens[code % width]}" for code in self.pairs.tolist()]
        return [(1, t) for t in self.tokens] + [(2, p) for p in pairs] + [(3, p) for p in self.parts]


def _parts_of(names: Sequence[str], parts: Mapping[str, int] | None) -> Any:
    """Distinct tokens x parts of words, as 0 and 1; and the names of the parts."""
    from scipy import sparse

    rows: list[int] = []
    found: list[str] = []
    for row, name in enumerate(names):
        if len(name) > _PART and name[0] != _MARK:
            pieces = {name[k : k + _PART] for k in range(len(name) - _PART + 1)}
            for piece in sorted(pieces) if parts is None else pieces & parts.keys():
                rows.append(row)
                found.append(piece)
    if parts is None:
        parts = {piece: at for at, piece in enumerate(sorted(set(found)))}
    columns = [parts[piece] for piece in found]
    matrix = sparse.csr_matrix(
        (np.ones(len(rows), dtype=np.float32), (rows, columns)), shape=(len(names), max(len(parts), 1))
    )
    return matrix, list(parts)


def _counts(document: Integers, column: Integers, shape: tuple[int, int]) -> Any:
    from scipy import sparse

    return sparse.coo_matrix((np.ones(len(document), dtype=np.float32), (document, column)), shape=shape).tocsr()


def _frequent(counts: Any, least: int, most: int) -> Integers:
    """Columns that at least `least` rows have, the `most` most frequent of them, in their order."""
    frequency = np.bincount(counts.indices, minlength=counts.shape[1])
    kept = np.flatnonzero(frequency >= least)
    if len(kept) > most:
        kept = np.sort(kept[np.lexsort((kept, -frequency[kept]))[:most]])
    return np.asarray(kept, dtype=np.int64)


def _pairs(flat: _Flat, place: Integers, width: int) -> tuple[Integers, Integers]:
    """Texts and codes of neighbouring tokens that are both features."""
    if len(flat.token) < 2:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    at = place[flat.token]
    both = (flat.document[1:] == flat.document[:-1]) & (at[1:] >= 0) & (at[:-1] >= 0)
    return flat.document[1:][both], at[:-1][both] * max(width, 1) + at[1:][both]


def vocabulary_of(cases: pl.DataFrame, least: int | None = None) -> Vocabulary:
    """Features that the texts have, from `least` texts on (default: 2, and 1 in 20,000), with ln((1 + n) / (1 + texts with it)) + 1 as idf."""
    least = max(2, cases.height // 20_000) if least is None else least
    flat = _flat(cases)
    usable = np.array([name != _MARK for name in flat.names], dtype=bool)
    counts = _counts(flat.document, flat.token, (flat.size, len(flat.names)))
    kept = _frequent(counts, least, _TOKENS)
    kept = kept[usable[kept]] if len(kept) else kept
    names = [flat.names[k] for k in kept]
    frequency = [np.bincount(counts.indices, minlength=len(flat.names))[kept]]
    place = np.full(len(flat.names), -1, dtype=np.int64)
    place[kept] = np.arange(len(kept))
    document, code = _pairs(flat, place, len(kept))
    each = np.unique(code, return_inverse=True)
    pairs = _counts(document, each[1].astype(np.int64), (flat.size, max(len(each[0]), 1)))
    chosen = _frequent(pairs, least, _PAIRS)
    frequency.append(np.bincount(pairs.indices, minlength=pairs.shape[1])[chosen])
    matrix, parts = _parts_of(flat.names, None)
    in_texts = counts @ matrix
    kept_parts = _frequent(in_texts, least, _PARTS) if parts else np.empty(0, dtype=np.int64)
    frequency.append(np.bincount(in_texts.indices, minlength=in_texts.shape[1])[kept_parts])
    idf = np.log((1 + cases.height) / (1 + np.concatenate(frequency).astype(np.float64))) + 1
    return Vocabulary(
        names,
        each[0][chosen].astype(np.int64) if len(chosen) else np.empty(0, dtype=np.int64),
        [parts[k] for k in kept_parts],
        idf,
    )


def vectors(cases: pl.DataFrame, vocabulary: Vocabulary) -> Any:
    """Weighted features of the cases as a sparse matrix of 32-bit numbers, one row a case, each of length 1 (or 0 without a feature)."""
    from scipy import sparse
    from sklearn.preprocessing import normalize

    flat = _flat(cases)
    numbers = {name: at for at, name in enumerate(vocabulary.tokens)}
    place = np.array([numbers.get(name, -1) for name in flat.names], dtype=np.int64)
    width = len(vocabulary.tokens)
    known = place[flat.token] >= 0 if len(flat.token) else np.empty(0, dtype=bool)
    single = _counts(flat.document[known], place[flat.token][known], (flat.size, width))
    document, code = _pairs(flat, place, width)
    at = np.searchsorted(vocabulary.pairs, code)
    hit = at < len(vocabulary.pairs)
    hit[hit] = vocabulary.pairs[at[hit]] == code[hit]
    double = _counts(document[hit], at[hit].astype(np.int64), (flat.size, len(vocabulary.pairs)))
    blocks = [single, double]
    if vocabulary.parts:
        matrix, _ = _parts_of(flat.names, {name: k for k, name in enumerate(vocabulary.parts)})
        blocks.append(_counts(flat.document, flat.token, (flat.size, len(flat.names))) @ matrix)
    table = sparse.hstack(blocks, format="csr", dtype=np.float32)
    table.data = (1 + np.log(table.data)).astype(np.float32)
    table = table @ sparse.diags(vocabulary.idf.astype(np.float32))
    return normalize(table.tocsr(), copy=False)


# -- the model ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Model:
    """A fitted classifier.

    Attributes:
        causes: codes, sorted.
        weights: features x causes.
        intercepts: of the causes.
        calibration: constant, factor of the best margin, factor of its lead.
    """

    vocabulary: Vocabulary
    causes: list[str]
    weights: NDArray[np.float32]
    intercepts: Floats
    calibration: Floats

    def to_frame(self) -> pl.DataFrame:
        """As a table (`FEATURES`): kinds 1 to 3 are features, 0 a cause with its intercept under `idf`, -1 the calibration."""
        named = self.vocabulary.names()
        return pl.concat(
            [
                pl.DataFrame(
                    {"kind": [-1], "feature": ["calibration"], "idf": [0.0], "weights": [self.calibration.tolist()]},
                    schema=FEATURES,
                ),
                pl.DataFrame(
                    {
                        "kind": [0] * len(self.causes),
                        "feature": self.causes,
                        "idf": self.intercepts.tolist(),
                        "weights": [[] for _ in self.causes],
                    },
                    schema=FEATURES,
                ),
                pl.DataFrame(
                    {
                        "kind": [k for k, _ in named],
                        "feature": [n for _, n in named],
                        "idf": self.vocabulary.idf.tolist(),
                        "weights": self.weights.tolist(),
                    },
                    schema=FEATURES,
                ),
            ]
        )

    @classmethod
    def from_frame(cls, frame: pl.DataFrame) -> Model | None:
        """From the table that `to_frame` made; None of an empty one."""
        if frame.is_empty():
            return None

        def of(kind: int) -> pl.DataFrame:
            return frame.filter(pl.col("kind") == kind)

        single, pairs, parts = of(1).sort("feature"), of(2), of(3).sort("feature")
        numbers = {name: at for at, name in enumerate(single["feature"].to_list())}
        width = max(len(numbers), 1)
        codes = [numbers[a] * width + numbers[b] for a, b in (name.split(" ") for name in pairs["feature"].to_list())]
        pairs = pairs.with_columns(pl.Series("code", codes, dtype=pl.Int64)).sort("code")
        causes = of(0).sort("feature")
        rows = pl.concat([single, pairs.drop("code"), parts])
        weights = np.array(rows["weights"].to_list(), dtype=np.float32).reshape(rows.height, causes.height)
        vocabulary = Vocabulary(
            single["feature"].to_list(), pairs["code"].to_numpy(), parts["feature"].to_list(), rows["idf"].to_numpy()
        )
        calibration = np.array(of(-1)["weights"].to_list()[0], dtype=np.float64)
        return cls(vocabulary, causes["feature"].to_list(), weights, causes["idf"].to_numpy(), calibration)


def fit(cases: pl.DataFrame, limits: Limits) -> Model | None:
    """Learn from cases (`CASES`); the calibration is that of no knowledge. None where they are too few or of one cause."""
    from sklearn.svm import LinearSVC

    counted = cases.group_by("cause").len().filter(pl.col("len") >= limits.minimum_class)
    cases = cases.join(counted.select("cause"), on="cause", how="semi").sort("complaint_id")
    causes = sorted(counted["cause"].to_list())
    if cases.height < limits.minimum_cases or len(causes) < 2:
        return None
    vocabulary = vocabulary_of(cases)
    if vocabulary.size == 0:
        return None
    numbers = {cause: at for at, cause in enumerate(causes)}
    target = np.array([numbers[cause] for cause in cases["cause"].to_list()])
    machine = LinearSVC(C=COST, class_weight="balanced", random_state=7, tol=0.01, max_iter=2000)
    machine.fit(vectors(cases, vocabulary).astype(np.float64), target)
    weights, intercepts = machine.coef_, machine.intercept_
    if len(causes) == 2:
        weights, intercepts = np.vstack([-weights[0], weights[0]]), np.array([-intercepts[0], intercepts[0]])
    return Model(
        vocabulary,
        causes,
        np.ascontiguousarray(np.round(weights.T, 5).astype(np.float32)),
        np.asarray(np.round(intercepts, 5), dtype=np.float64),
        np.array([0.0, 1.0, 1.0]),
    )


def margins(cases: pl.DataFrame, model: Model) -> Floats:
    """Margins of the cases (text, topic, product_line), cases x causes; a text without a known feature has the lowest."""
    parts = []
    for start in range(0, cases.height, _BATCH):
        table = vectors(cases.slice(start, _BATCH), model.vocabulary)
        found = np.asarray(table @ model.weights, dtype=np.float64) + model.intercepts
        found[np.diff(table.indptr) == 0] = -9.0
        parts.append(found)
    return np.vstack(parts) if parts else np.empty((0, len(model.causes)))


def _best(found: Floats) -> tuple[Integers, Integers, Floats, Floats]:
    """Best and second cause of each row, the margin of the best and its lead."""
    order = np.argsort(-found, axis=1, kind="stable")[:, :2]
    rows = np.arange(len(found))
    first, second = found[rows, order[:, 0]], found[rows, order[:, 1]]
    return order[:, 0], order[:, 1], first, first - second


def _probability(first: Floats, lead: Floats, calibration: Floats) -> Floats:
    logit = calibration[0] + calibration[1] * np.clip(first, -3, 3) + calibration[2] * np.clip(lead, 0, 3)
    # Without any known feature nothing is known.
    return np.where(first <= -8, 0.0, 1 / (1 + np.exp(-np.clip(logit, -30, 30))))


def calibrated(model: Model, cases: pl.DataFrame) -> Model:
    """The model with the calibration that fits cases (`CASES`) it has not learned from; both factors are at least 0.

    A share `NEW` of all texts is taken to be of causes that nobody knows yet. What the model says of such a text is what it says of a tested one
    when its own cause is struck out: the best of the others, which is wrong.
    """
    from scipy.optimize import minimize

    found = margins(cases, model)
    best, _, first, lead = _best(found)
    truth = cases["cause"].to_list()
    right = np.array([model.causes[at] for at in best]) == np.array(truth)
    firsts, leads, rights, weights = [first], [lead], [right], [np.full(len(first), 1 - NEW)]
    if len(model.causes) > 2:
        numbers = {cause: at for at, cause in enumerate(model.causes)}
        own = np.array([numbers.get(cause, -1) for cause in truth])
        known = np.flatnonzero(own >= 0)
        struck = found[known].copy()
        struck[np.arange(len(known)), own[known]] = -np.inf
        _, _, first, lead = _best(struck)
        firsts.append(first)
        leads.append(lead)
        rights.append(np.zeros(len(known), dtype=bool))
        weights.append(np.full(len(known), NEW))
    y, w = np.concatenate(rights), np.concatenate(weights)
    table = np.column_stack(
        [np.ones(len(y)), np.clip(np.concatenate(firsts), -3, 3), np.clip(np.concatenate(leads), 0, 3)]
    )

    def loss(point: Floats) -> tuple[float, Floats]:
        logit = table @ point
        error = w * (1 / (1 + np.exp(-np.clip(logit, -30, 30))) - y)
        value = float((w * (np.logaddexp(0, logit) - y * logit)).sum() + 0.05 * (point**2).sum())
        return value, table.T @ error + 0.1 * point

    done = minimize(
        loss, np.array([0.0, 1.0, 1.0]), jac=True, method="L-BFGS-B", bounds=[(None, None), (0, None), (0, None)]
    )
    return Model(model.vocabulary, model.causes, model.weights, model.intercepts, np.round(done.x, 5))


def answers(cases: pl.DataFrame, model: Model | None) -> pl.DataFrame:
    """Best cause, its probability and the second cause of each case (`ANSWERS`), whatever the probability; null without a model.

    Args:
        cases: text, topic, product_line; any number of rows, read 50,000 at a time.
    """
    if model is None or cases.is_empty():
        empty = {name: pl.Series([None] * cases.height, dtype=kind) for name, kind in ANSWERS.items()}
        return pl.DataFrame(empty)
    best, second, first, lead = _best(margins(cases, model))
    names = np.array(model.causes, dtype=object)
    return pl.DataFrame(
        {
            "root_cause": names[best].tolist(),
            "probability": np.round(_probability(first, lead, model.calibration), 6),
            "second_cause": names[second].tolist(),
        },
        schema=ANSWERS,
    )


# -- its test ----------------------------------------------------------------------------------------------------------


def quality(truth: Sequence[str], given: Sequence[str | None], language: Sequence[str]) -> pl.DataFrame:
    """Precision, recall and F1 of each cause by language; an answer that is not given is a miss of its cause and nothing else.

    F1 = 2 hits / (cases + answers of the cause). The macro-F1 of a language is the mean over the causes that its cases have (C. J. van Rijsbergen,
    *Information Retrieval*, 2nd ed., 1979, ch. 7).

    Returns:
        language, root_cause, cases, answered, predicted, hits, precision, recall, f1, macro_f1: one row per language (`all` too) and cause that was the case or was said.
    """
    frame = pl.DataFrame(
        {"truth": list(truth), "given": list(given), "language": list(language)}, schema_overrides={"given": pl.String}
    )
    frame = pl.concat([frame, frame.with_columns(language=pl.lit("all"))])
    cases = frame.group_by("language", root_cause="truth").agg(
        cases=pl.len().cast(pl.Int64),
        answered=pl.col("given").is_not_null().sum().cast(pl.Int64),
        hits=(pl.col("given") == pl.col("truth")).fill_null(False).sum().cast(pl.Int64),
    )
    said = frame.drop_nulls("given").group_by("language", root_cause="given").agg(predicted=pl.len().cast(pl.Int64))
    both = cases.join(said, on=["language", "root_cause"], how="full", coalesce=True).with_columns(
        pl.col("cases", "answered", "hits", "predicted").fill_null(0)
    )
    both = both.with_columns(
        precision=pl.when(pl.col("predicted") > 0).then(pl.col("hits") / pl.col("predicted")),
        recall=pl.when(pl.col("cases") > 0).then(pl.col("hits") / pl.col("cases")),
        f1=pl.when(pl.col("cases") > 0).then(2 * pl.col("hits") / (pl.col("cases") + pl.col("predicted"))),
    ).sort("language", "root_cause")
    return both.with_columns(macro_f1=pl.col("f1").mean().over("language")).with_columns(
        pl.col("precision", "recall", "f1", "macro_f1").round(9)
    )


def keeps_newer(newer: float | None, older: float | None, margin: float) -> bool:
    """The gate: a newer model replaces the older one unless it is worse by more than the margin. Without a test of either the newer holds."""
    return newer is None or older is None or newer >= older - margin


@dataclass(frozen=True)
class Trained:
    """A model (None: too little to learn from), its test (`QUALITY`) and its words (`WORDS`)."""

    model: Model | None
    quality: pl.DataFrame
    words: pl.DataFrame
    learned_until: date | None


def cuts(as_of: date, limits: Limits) -> tuple[date, date]:
    """Days up to which (excluded) the model of the month of `as_of` and that of the month before learn: a month's first day less the days to settle."""
    month = as_of.replace(day=1)
    before = (month - timedelta(days=1)).replace(day=1)
    return month - timedelta(days=limits.settle_days), before - timedelta(days=limits.settle_days)


def train(cases: pl.DataFrame, as_of: date, limits: Limits) -> Trained:
    """The model of the month of `as_of`, from cases with a known cause.

    Two recipes are tested on the same newest cases, which neither has learned from: one that ends where they begin, and one that ends a month
    earlier, which is last month's model. The one that the gate keeps is then fitted again up to its own end, with the calibration of its test.

    Args:
        cases: `CASES`; those closed from the cut on are not read.
        as_of: last day of the data.
    """
    newer, older = cuts(as_of, limits)
    cases = cases.filter(pl.col("closed_on") < newer).sort("complaint_id")
    span = timedelta(days=limits.test_days)
    tested = cases.filter(pl.col("closed_on") >= newer - span)
    found: list[pl.DataFrame] = []
    scores: dict[str, float] = {}
    calibrations: dict[str, Floats] = {}
    for role, end in (("newer", newer - span), ("older", older - span)):
        if tested.height < limits.minimum_test:
            continue
        model = fit(cases.filter(pl.col("closed_on") < end), limits)
        if model is None:
            continue
        model = calibrated(model, tested)
        said = answers(tested, model).select(
            pl.when(pl.col("probability") >= limits.answer).then(pl.col("root_cause"))
        )["root_cause"]
        table = quality(tested["cause"].to_list(), said.to_list(), tested["language"].to_list())
        scores[role] = float(table.filter(pl.col("language") == "all")["macro_f1"][0])
        calibrations[role] = model.calibration
        found.append(
            table.with_columns(
                role=pl.lit(role),
                learned_until=pl.lit(end - timedelta(days=1)),
                tested_from=pl.lit(newer - span),
                tested_to=pl.lit(newer - timedelta(days=1)),
            )
        )
    used = "newer" if keeps_newer(scores.get("newer"), scores.get("older"), limits.gate_margin) else "older"
    end = newer if used == "newer" else older
    learned = cases.filter(pl.col("closed_on") < end)
    model = fit(learned, limits)
    if model is not None:
        calibration = calibrations.get(used)
        model = (
            _cross_calibrated(model, learned, limits)
            if calibration is None
            else Model(model.vocabulary, model.causes, model.weights, model.intercepts, calibration)
        )
    table = (
        pl.concat(found).with_columns(is_used=pl.col("role") == used).select(*QUALITY)
        if found
        else pl.DataFrame(schema=QUALITY)
    )
    words = words_of(model, learned, limits) if model is not None else pl.DataFrame(schema=WORDS)
    return Trained(model, table, words, None if model is None else end - timedelta(days=1))


def _cross_calibrated(model: Model, cases: pl.DataFrame, limits: Limits) -> Model:
    """Without later cases: calibrated on each third of the cases by a model of the others, and the three put together by their mean."""
    third = cases.with_row_index("row").with_columns(third=pl.col("row") % 3)
    parts = []
    for k in range(3):
        other = fit(third.filter(pl.col("third") != k), limits)
        if other is not None:
            parts.append(calibrated(other, third.filter(pl.col("third") == k)).calibration)
    calibration = np.asarray(np.round(np.mean(parts, axis=0), 5) if parts else [-30.0, 0.0, 0.0], dtype=np.float64)
    return Model(model.vocabulary, model.causes, model.weights, model.intercepts, calibration)


def words_of(model: Model, cases: pl.DataFrame, limits: Limits, most: int = 10) -> pl.DataFrame:
    """Words that speak most for each cause, by language of the word, with the newest case of it that has the word (`WORDS`).

    Only tokens and pairs that stand in cases of `word_cases` different customers are shown, so that no word leads to one of them; of Chinese pairs the word that has
    them (`words_of_pairs`), with the cases that have the word.
    """
    from scipy import sparse

    table = (vectors(cases, model.vocabulary) > 0).astype(np.float32).tocsr()
    keys = cases.with_row_index("row").select(
        pl.coalesce("customer_key", pl.format("case {}", "complaint_id")).alias("key")
    )["key"]
    numbers = keys.rank("dense").cast(pl.Int64).to_numpy() - 1
    named = model.vocabulary.names()
    kinds = np.array([k for k, _ in named])
    single_han = np.array([len(n) == 1 for _, n in named])
    shown = np.array([k in (1, 2) and not n.startswith(_MARK) and _MARK not in n for k, n in named])
    causes = np.array(cases["cause"].to_list())
    order = np.lexsort((cases["complaint_id"].to_numpy(), cases["closed_on"].to_numpy()))
    rows: list[tuple[str, str, int, str, float, int, str]] = []
    for at, cause in enumerate(model.causes):
        mine = order[causes[order] == cause]
        if not len(mine):
            continue
        part = table[mine]
        _, holders = np.unique(numbers[mine], return_inverse=True)
        by_customer = sparse.csr_matrix(
            (np.ones(len(mine), dtype=np.float32), (holders, np.arange(len(mine)))),
            shape=(int(holders.max()) + 1, len(mine)),
        )
        customers = np.bincount((by_customer @ part).tocsr().indices, minlength=part.shape[1])
        count = np.bincount(part.indices, minlength=part.shape[1])
        weight = model.weights[:, at] * model.vocabulary.idf
        able = shown & ~single_han & (customers >= limits.word_cases) & (weight > 0) & (kinds > 0)
        columns = part.tocsc()
        chinese = words_of_pairs(cases["text"][mine.tolist()], holders, limits.word_cases)
        shown_as: dict[str, list[str]] = {"en": [], "zh": []}
        for column in sorted(np.flatnonzero(able).tolist(), key=lambda c: (-float(weight[c]), named[c][1])):
            word, here = named[column][1], int(count[column])
            last = int(columns.indices[columns.indptr[column] : columns.indptr[column + 1]].max())
            language = "zh" if any("一" <= letter <= "鿿" for letter in word) else "en"
            if language == "zh":
                if word.replace(" ", "") not in chinese:
                    continue
                word, here, last = chinese[word.replace(" ", "")]
            if word in shown_as[language] or len(shown_as[language]) == most:
                continue
            shown_as[language].append(word)
            rows.append((language, cause, len(shown_as[language]), word, round(float(weight[column]), 6), here, cases["complaint_id"][int(mine[last])]))  # fmt: skip
    return pl.DataFrame(rows, schema=WORDS, orient="row")


def words_of_pairs(texts: pl.Series, customers: Integers, least: int) -> dict[str, tuple[str, int, int]]:
    """Which Chinese word a pair of neighbouring characters belongs to: half a word, or the end of one and the beginning of the next, says nothing to a reader.

    Args:
        texts: one a case.
        customers: number of the customer of each.
        least: customers in whose texts a word must stand.

    Returns:
        For each pair the word of two Han characters and more that has it, by jieba's dictionary (of several the one in most texts), the number of texts with it
        and the place of the last of them. Pairs that stand in no word are left out.
    """
    import rjieba

    texts_of: dict[str, list[int]] = {}
    for place, text in enumerate(_plain(texts)):
        for word in set(rjieba.cut(text)):
            if len(word) > 1 and all("一" <= letter <= "鿿" for letter in word):
                texts_of.setdefault(word, []).append(place)
    found: dict[str, tuple[str, int, int]] = {}
    for word, places in sorted(texts_of.items(), key=lambda one: (-len(one[1]), one[0])):
        if len(set(customers[places].tolist())) >= least:
            for at in range(len(word) - 1):
                found.setdefault(word[at : at + 2], (word, len(places), places[-1]))
    return found


# -- what is not known yet ---------------------------------------------------------------------------------------------


def candidates(
    unknown: pl.DataFrame, model: Model | None, as_of: date, least: int, most_words: int = 4
) -> pl.DataFrame:
    """Groups of unknown complaints that are alike in what known ones are not: candidates of new causes (`CANDIDATES`), the largest first.

    A feature counts by ln(share of the unknown with it / share of the known with it), at least 0: what all complaints say says nothing new. The
    text with the most texts like it (cosine) begins a group and takes them; then the next of those that are left.

    Args:
        unknown: complaint_id, customer_key, text, topic, product_line, opened_on; the newest 5,000 are searched.
        model: whose idf tells how usual a feature is among known ones.
        as_of: last day of the data; growth is counted back from it.
        least: cases of a group at least; also the customers that it needs.
    """
    from scipy import sparse
    from sklearn.preprocessing import normalize

    frame = unknown.sort("opened_on", "complaint_id", descending=True).head(_UNKNOWN_CASES).sort("complaint_id")
    if frame.height < least:
        return pl.DataFrame(schema=CANDIDATES)
    vocabulary = vocabulary_of(frame, least=3)
    if vocabulary.size == 0:
        return pl.DataFrame(schema=CANDIDATES)
    named = vocabulary.names()
    known = dict(zip(model.vocabulary.names(), model.vocabulary.idf.tolist(), strict=True)) if model is not None else {}
    rarest = max(known.values(), default=1.0)
    share_known = np.exp(1 - np.array([known.get(name, rarest) for name in named]))
    share_unknown = np.exp(1 - vocabulary.idf)
    novelty = np.clip(np.log(share_unknown / share_known), 0, 4) if known else np.ones(len(named))
    has = (vectors(frame, vocabulary) > 0).astype(np.float32).tocsr()
    weighted = normalize((has @ sparse.diags(novelty.astype(np.float32))).tocsr())
    alike = np.asarray((weighted @ weighted.T).toarray()) >= _LIKE
    left = np.diff(weighted.indptr) > 0
    left &= np.asarray(weighted.power(2).sum(axis=1)).ravel() > 0
    customers = frame["customer_key"].fill_null("").to_numpy()
    rows: list[dict[str, Any]] = []
    while True:
        near = (alike & left[None, :]).sum(axis=1) * left
        if not len(near) or near.max() < least:
            break
        members = np.flatnonzero(alike[int(near.argmax())] & left)
        left[members] = False
        # Those without a customer may be one: they count once.
        if len(set(customers[members].tolist())) < least:
            continue
        inside = np.asarray(has[members].mean(axis=0)).ravel()
        worth = inside * novelty
        _, holders = np.unique(customers[members].astype(str), return_inverse=True)
        ones = np.ones(len(members), dtype=np.float32)
        by_customer = sparse.csr_matrix(
            (ones, (holders, np.arange(len(members)))), shape=(int(holders.max()) + 1, len(members))
        )
        people = np.bincount((by_customer @ has[members]).tocsr().indices, minlength=len(named))
        part = frame[members.tolist()].sort("opened_on", "complaint_id", descending=[True, False])
        chinese = words_of_pairs(frame["text"][members.tolist()], holders, 3)
        names: dict[str, list[str]] = {"en": [], "zh": []}
        for column in np.lexsort((np.arange(len(named)), -worth)).tolist():
            kind, name = named[column]
            # What several customers say names a group; what one of them says may be his name.
            if kind == 3 or name.startswith(_MARK) or people[column] < 3 or worth[column] <= 0:
                continue
            han = any("一" <= letter <= "鿿" for letter in name)
            shown = chinese.get(name.replace(" ", ""), ("", 0, 0))[0] if han else name
            words = names["zh" if han else "en"]
            if len(shown) > 1 and len(words) < most_words and not any(shown in w or w in shown for w in words):
                words.append(shown)
        days = part["opened_on"].map_elements(lambda day: (as_of - day).days, return_dtype=pl.Int64).to_numpy()
        topics = part.group_by("topic").len().sort(["len", "topic"], descending=[True, False])
        rows.append(
            {
                "words_en": ", ".join(names["en"]) or None,
                "words_zh": "、".join(names["zh"]) or None,
                "topic": topics["topic"][0],
                "cases": len(members),
                "cases_28d": int((days < 28).sum()),
                "cases_before_28d": int(((days >= 28) & (days < 56)).sum()),
                "first_opened_on": part["opened_on"].min(),
                "last_opened_on": part["opened_on"].max(),
                "example_complaint_ids": part["complaint_id"].head(5).to_list(),
                "complaint_ids": sorted(part["complaint_id"].to_list()),
            }
        )
    rows.sort(key=lambda row: (-row["cases"], row["complaint_ids"][0]))
    return pl.DataFrame([{"candidate": n, **row} for n, row in enumerate(rows, 1)], schema=CANDIDATES)


# -- what is kept between nights ---------------------------------------------------------------------------------------
# The tables of the schema `causes` hold what follows from their key alone, so a night that finds the key again need not compute it, and a full
# rebuild comes to the same.

_UNDECIDED = "e.code_cause is null and e.fact_cause is null and e.rule_cause is null"


def _key_of(session: Any, evidence: str, as_of: date, limits: Limits) -> str:
    """Digest of everything that a model follows from: this module, the limits, the month and the cases that it may learn from."""
    cut = cuts(as_of, limits)[0]
    row = session.execute(
        "select count(*), coalesce(sum(hash(complaint_id, customer_key, text_key, topic, product_line, text_language, closed_on, code_cause)::hugeint), 0)"
        f" from {evidence} where code_cause is not null and text_key is not null and closed_on < ?",
        [cut],
    ).fetchone()
    return hashlib.sha256(f"{code_digest()} {limits} {as_of.replace(day=1)} {row}".encode()).hexdigest()[:16]


def _labelled(session: Any, evidence: str, texts: str, until: date) -> pl.DataFrame:
    found: pl.DataFrame = session.execute(
        "select e.complaint_id, e.customer_key, t.text, e.topic, e.product_line, e.text_language as language, e.closed_on, e.code_cause as cause"
        f" from {evidence} as e inner join {texts} as t on e.source = t.source and e.ticket_id = t.ticket_id"
        " where e.code_cause is not null and e.closed_on < ? and t.text <> '' order by e.complaint_id",
        [until],
    ).pl()
    return found.cast(CASES)  # type: ignore[arg-type]


def _write(session: Any, table: str, frame: pl.DataFrame) -> None:
    """Replace a table by a frame, by way of a file: no pandas is needed."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "frame.parquet"
        frame.write_parquet(path)
        session.execute(f"create or replace table {table} as select * from read_parquet('{path}')")


def _has(session: Any, schema: str, table: str) -> bool:
    found = session.execute(
        "select count(*) from duckdb_tables() where database_name || '.' || schema_name = ? and table_name = ?",
        [schema.replace('"', ""), table],
    ).fetchone()
    return bool(found[0])


def keep_model(
    session: Any, *, schema: str, evidence: str, texts: str, as_of: date | None, limits: Limits
) -> pl.DataFrame:
    """The model of the month, fitted if the one that is kept follows from something else.

    Args:
        session: DuckDB connection that may write.
        schema: of the kept tables, with its database.
        evidence, texts: relations `ftr_complaint_evidence` and `int_complaint_texts`.
        as_of: last day of the data; None without complaints.

    Returns:
        Its quality and words in one table: part, the columns of `QUALITY` and `WORDS`, model_version, as_of.
    """
    session.execute(f"create schema if not exists {schema}")
    key = "none" if as_of is None else _key_of(session, evidence, as_of, limits)
    kept = session.execute(f"select model_key from {schema}.kept").fetchone() if _has(session, schema, "kept") else None
    if kept is None or kept[0] != key:
        cases = (
            pl.DataFrame(schema=CASES) if as_of is None else _labelled(session, evidence, texts, cuts(as_of, limits)[0])
        )
        made = train(cases, as_of or date(1970, 1, 1), limits)
        model = pl.DataFrame(schema=FEATURES) if made.model is None else made.model.to_frame()
        parts = pl.concat(
            [made.quality.with_columns(part=pl.lit("quality")), made.words.with_columns(part=pl.lit("word"))],
            how="diagonal",
        )
        _write(session, f"{schema}.model", model)
        _write(session, f"{schema}.parts", parts)
        _write(session, f"{schema}.kept", pl.DataFrame({"model_key": [key]}))
    version = f"{MODEL_VERSION}.{key}"
    parts = session.execute(f"select * from {schema}.parts").pl()
    columns = {"part": pl.String} | QUALITY | WORDS
    return (
        parts.cast({name: kind for name, kind in columns.items() if name in parts.columns})
        .select(*columns)
        .with_columns(model_version=pl.lit(version), as_of=pl.lit(as_of, dtype=pl.Date))
        .sort("part", "role", "language", "root_cause", "rank")
    )


def _kept_model(session: Any, schema: str) -> tuple[Model | None, str | None]:
    row = session.execute(f"select model_key from {schema}.kept").fetchone()
    model = Model.from_frame(session.execute(f"select * from {schema}.model").pl().cast(FEATURES))
    return model, None if model is None else str(row[0])


def keep_answers(session: Any, *, schema: str, evidence: str, texts: str) -> str:
    """Answer the texts that the kept model has not answered yet, and forget those of other models.

    An answer follows from model, text, topic and product; equal ones are answered once.

    Returns:
        The query of `score_complaint_causes`: complaint_id, root_cause, probability, second_cause, model_version, as_of.
    """
    model, key = _kept_model(session, schema)
    wanted = "t.text_key, e.topic, e.product_line"
    if not _has(session, schema, "answers"):
        type_of = session.execute(
            f"select typeof(text_key) from {evidence} where text_key is not null limit 1"
        ).fetchone()
        session.execute(
            f"create table {schema}.answers (text_key {type_of[0] if type_of else 'hugeint'}, topic varchar, product_line varchar, root_cause varchar, probability double, second_cause varchar, model_key varchar)"
        )
    session.execute(f"delete from {schema}.answers where model_key is distinct from ?", [key])
    if model is not None:
        unread = session.execute(
            f"select {wanted}, any_value(t.text) as text from {evidence} as e inner join {texts} as t on e.source = t.source and e.ticket_id = t.ticket_id"
            f" left join {schema}.answers as a on t.text_key = a.text_key and e.topic = a.topic and e.product_line = a.product_line"
            f" where {_UNDECIDED} and t.text <> '' and a.text_key is null group by all order by all"
        ).pl()
        for start in range(0, unread.height, _BATCH):
            part = unread.slice(start, _BATCH)
            fresh = part.select("text_key", "topic", "product_line").hstack(answers(part, model))
            _write(session, f"{schema}.fresh", fresh)
            session.execute(f"insert into {schema}.answers select *, '{key}' from {schema}.fresh")
    return (
        f"select e.complaint_id, a.root_cause, a.probability, a.second_cause, '{MODEL_VERSION}.' || a.model_key as model_version, e.as_of from {evidence} as e"
        f" inner join {texts} as t on e.source = t.source and e.ticket_id = t.ticket_id"
        f" left join {schema}.answers as a on t.text_key = a.text_key and e.topic = a.topic and e.product_line = a.product_line"
        f" where {_UNDECIDED} and t.text <> ''"
    )


def find_candidates(
    session: Any,
    *,
    schema: str,
    evidence: str,
    texts: str,
    answers: str,
    as_of: date | None,
    limits: Limits,
    days: int,
    least: int,
) -> pl.DataFrame:
    """Candidates of new causes among the complaints of the last `days` days that stay unknown (`CANDIDATES`, model_version, as_of)."""
    found = pl.DataFrame(schema=CANDIDATES)
    if as_of is not None:
        unknown = session.execute(
            "select e.complaint_id, e.customer_key, t.text, e.topic, e.product_line, e.opened_on"
            f" from {evidence} as e inner join {texts} as t on e.source = t.source and e.ticket_id = t.ticket_id inner join {answers} as a on e.complaint_id = a.complaint_id"
            " where (a.probability is null or a.probability < ?) and e.opened_on > ? order by e.complaint_id",
            [limits.answer, as_of - timedelta(days=days)],
        ).pl()
        model, _ = _kept_model(session, schema)
        found = candidates(unknown, model, as_of, least)
    return found.with_columns(model_version=pl.lit(MODEL_VERSION), as_of=pl.lit(as_of, dtype=pl.Date))
