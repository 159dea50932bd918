"""Path models: against populations whose result is known in closed form, a second implementation on the answers themselves, and at the edges."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from orchestration.modelling.paths import (
    FIGURES,
    PathModel,
    average_variance_extracted,
    composite_reliability,
    cronbach_alpha,
    estimate,
    pairwise_moments,
    path_figures,
    path_model,
    solve,
)

Floats = NDArray[np.float64]
ECSI: list[tuple[str, str | None]] = [
    ("expectation", "image"), ("quality", "image"), ("quality", "expectation"), ("value", "expectation"), ("value", "quality"),
    ("satisfaction", "image"), ("satisfaction", "quality"), ("satisfaction", "value"), ("loyalty", "image"),
    ("loyalty", "satisfaction"),
]  # fmt: skip
COEFFICIENTS = dict(zip(ECSI, (0.6, 0.35, 0.45, 0.25, 0.55, 0.2, 0.35, 0.4, 0.25, 0.6), strict=True))
ITEMS_EACH, LOADING = 3, 0.8


def _latent_correlations(model: PathModel, coefficients: dict[tuple[str, str | None], float]) -> Floats:
    """Correlations that standardised latent variables with these paths have: antecedents come first, so each follows from those before it."""
    names = model.latent_variables
    r = np.eye(len(names))
    for to, sources in enumerate(model.antecedents):
        beta = np.array([coefficients[(names[to], names[of])] for of in sources])
        for other in range(to):
            r[to, other] = r[other, to] = float(beta @ r[list(sources), other]) if len(sources) else 0.0
    return r


def _item_correlations(
    latent: Floats, loading: float = LOADING, each: int = ITEMS_EACH
) -> tuple[Floats, NDArray[np.int64]]:
    block = np.repeat(np.arange(len(latent)), each)
    r = loading**2 * latent[np.ix_(block, block)]
    np.fill_diagonal(r, 1.0)
    return r, block


def _paths_of(model: PathModel, latent: Floats) -> Floats:
    paths = np.zeros_like(latent)
    for to, sources in enumerate(model.antecedents):
        chosen = list(sources)
        if chosen:
            paths[to, chosen] = np.linalg.solve(latent[np.ix_(chosen, chosen)], latent[chosen, to])
    return paths


@pytest.mark.parametrize("scheme", ["path", "centroid", "factorial"])
@pytest.mark.parametrize(("loading", "each"), [(0.8, 3), (0.6, 2), (0.95, 5)])
def test_a_population_comes_back_attenuated_as_stated(scheme: str, loading: float, each: int) -> None:
    model = path_model(ECSI, scheme)
    truth = _latent_correlations(model, COEFFICIENTS)
    r, block = _item_correlations(truth, loading, each)
    found = solve(r, block, model)
    assert found.is_usable.all()
    reliability = each * loading**2 / (1 + (each - 1) * loading**2)
    attenuated = reliability * truth + (1 - reliability) * np.eye(len(truth))
    np.testing.assert_allclose(found.correlations[0], attenuated, atol=1e-6)
    np.testing.assert_allclose(found.paths[0], _paths_of(model, attenuated), atol=1e-6)
    np.testing.assert_allclose(found.loadings[0], np.sqrt((1 + (each - 1) * loading**2) / each), atol=1e-6)
    # What the attenuation is: without it the truth itself would come back.
    truly = _paths_of(model, truth)
    assert np.abs(found.paths[0] - truly).max() > 1e-3
    names = model.latent_variables
    for (to, of), coefficient in COEFFICIENTS.items():
        assert of is not None and truly[names.index(to), names.index(of)] == pytest.approx(coefficient)


def _simulated(
    n: int, seed: int, model: PathModel, loading: float = LOADING, each: int = ITEMS_EACH
) -> tuple[Floats, NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    latent = rng.multivariate_normal(
        np.zeros(len(model.latent_variables)), _latent_correlations(model, COEFFICIENTS), n
    )
    block = np.repeat(np.arange(latent.shape[1]), each)
    noise = rng.normal(size=(n, len(block)))
    return 60 + 15 * (loading * latent[:, block] + np.sqrt(1 - loading**2) * noise), block


def test_a_sample_comes_back_within_its_intervals() -> None:
    model = path_model(ECSI)
    values, block = _simulated(800, 5, model)
    items = [f"q{k:02d}" for k in range(len(block))]
    found = estimate(model, items, block.tolist(), values)
    assert found.reason is None and found.solution is not None and found.drawn is not None
    reliability = ITEMS_EACH * LOADING**2 / (1 + (ITEMS_EACH - 1) * LOADING**2)
    truth = _latent_correlations(model, COEFFICIENTS)
    expected = _paths_of(model, reliability * truth + (1 - reliability) * np.eye(len(truth)))
    inside = [
        np.percentile(found.drawn.paths[:, to, of], 0.5)
        <= expected[to, of]
        <= np.percentile(found.drawn.paths[:, to, of], 99.5)
        for to, of in model.paths
    ]
    assert all(inside)
    again = estimate(model, items, block.tolist(), values)
    assert again.drawn is not None
    np.testing.assert_array_equal(again.drawn.paths, found.drawn.paths)


def _lohmoeller_on_answers(x: Floats, block: NDArray[np.int64], model: PathModel) -> tuple[Floats, Floats]:
    """The same algorithm written plainly, on scores of respondents instead of correlations; weights and paths."""
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    q = len(model.latent_variables)
    weights = [np.ones(int((block == k).sum())) for k in range(q)]

    def scores() -> list[Floats]:
        made = [z[:, block == k] @ weights[k] for k in range(q)]
        return [y / y.std() for y in made]

    for _ in range(300):
        y = scores()
        for k in range(q):
            inner = np.zeros(len(x))
            before = list(model.antecedents[k])
            after = [other for other in range(q) if k in model.antecedents[other]]
            if model.scheme == "path":
                if before:
                    inner += (
                        np.column_stack([y[b] for b in before])
                        @ np.linalg.lstsq(np.column_stack([y[b] for b in before]), y[k], rcond=None)[0]
                    )
                for other in after:
                    inner += np.corrcoef(y[other], y[k])[0, 1] * y[other]
            else:
                for other in before + after:
                    r = np.corrcoef(y[other], y[k])[0, 1]
                    inner += (np.sign(r) if model.scheme == "centroid" else r) * y[other]
            weights[k] = z[:, block == k].T @ inner / len(x)
    y = scores()
    outer = np.concatenate([weights[k] / (z[:, block == k] @ weights[k]).std() for k in range(q)])
    paths = np.zeros((q, q))
    for k in range(q):
        before = list(model.antecedents[k])
        if before:
            paths[k, before] = np.linalg.lstsq(np.column_stack([y[b] for b in before]), y[k], rcond=None)[0]
    return outer, paths


@pytest.mark.parametrize("scheme", ["path", "centroid", "factorial"])
def test_a_second_implementation_on_the_answers_agrees(scheme: str) -> None:
    model = path_model(ECSI, scheme)
    values, block = _simulated(60, 11, model, loading=0.7, each=2)
    found = solve(pairwise_moments(values, np.ones((1, 60))).correlations, block, model)
    outer, paths = _lohmoeller_on_answers(values, block, model)
    np.testing.assert_allclose(found.weights[0], outer, atol=2e-6)
    np.testing.assert_allclose(found.paths[0], paths, atol=2e-6)


def test_two_blocks_are_the_first_pair_of_singular_vectors_in_every_scheme() -> None:
    rng = np.random.default_rng(3)
    values = rng.normal(size=(50, 7)) + rng.normal(size=(50, 1))
    block = np.array([0, 0, 0, 1, 1, 1, 1])
    r = pairwise_moments(values, np.ones((1, 50))).correlations
    found = {s: solve(r, block, path_model([("b", "a")], s)) for s in ("path", "centroid", "factorial")}
    for scheme in ("centroid", "factorial"):
        np.testing.assert_allclose(found[scheme].weights, found["path"].weights, atol=1e-6)
        np.testing.assert_allclose(found[scheme].paths, found["path"].paths, atol=1e-6)
    # Tucker's inter-battery analysis: the weights are the singular vectors of the correlations between the blocks.
    left, _, right = np.linalg.svd(r[0][:3, 3:])
    for vector, weights in ((left[:, 0], found["path"].weights[0, :3]), (right[0], found["path"].weights[0, 3:])):
        np.testing.assert_allclose(np.abs(vector), np.abs(weights) / np.linalg.norm(weights), atol=1e-6)


def test_the_schemes_differ_where_there_are_more_blocks() -> None:
    values, block = _simulated(60, 11, path_model(ECSI), loading=0.7, each=2)
    r = pairwise_moments(values, np.ones((1, 60))).correlations
    a, b = (solve(r, block, path_model(ECSI, scheme)).weights for scheme in ("path", "centroid"))
    assert np.abs(a - b).max() > 1e-4


def test_the_order_of_items_and_respondents_changes_nothing() -> None:
    model = path_model(ECSI)
    values, block = _simulated(90, 2, model)
    rng = np.random.default_rng(1)
    items, people = rng.permutation(len(block)), rng.permutation(90)
    names = [f"q{k}" for k in range(len(block))]
    plain = estimate(model, names, block.tolist(), values, draws=0)
    mixed = estimate(model, [names[k] for k in items], block[items].tolist(), values[people][:, items], draws=0)
    assert plain.solution is not None and mixed.solution is not None
    np.testing.assert_allclose(mixed.solution.weights[0], plain.solution.weights[0][items], atol=1e-9)
    np.testing.assert_allclose(mixed.solution.paths, plain.solution.paths, atol=1e-9)


def test_a_turned_latent_variable_turns_back() -> None:
    model = path_model(ECSI)
    values, block = _simulated(90, 2, model)
    turned = values.copy()
    turned[:, block == 2] = 100 - turned[:, block == 2]
    plain = solve(pairwise_moments(values, np.ones((1, 90))).correlations, block, model)
    other = solve(pairwise_moments(turned, np.ones((1, 90))).correlations, block, model)
    np.testing.assert_allclose(other.weights, plain.weights, atol=1e-7)
    assert (other.loadings > 0).all()
    sign = np.where(np.arange(len(model.latent_variables)) == 2, -1.0, 1.0)
    np.testing.assert_allclose(other.paths[0], sign[:, None] * plain.paths[0] * sign[None, :], atol=1e-7)
    np.testing.assert_allclose(other.r_squared, plain.r_squared, atol=1e-7)


def test_index_weights_are_unstandardised_and_follow_the_unit_of_an_item() -> None:
    model = path_model(ECSI)
    values, block = _simulated(200, 7, model)
    names = [f"q{k}" for k in range(len(block))]
    stretched = values.copy()
    stretched[:, 4] *= 3
    a, b = (estimate(model, names, block.tolist(), x, draws=0) for x in (values, stretched))
    assert (
        a.index_weights is not None
        and b.index_weights is not None
        and a.solution is not None
        and b.solution is not None
    )
    np.testing.assert_allclose(a.solution.weights, b.solution.weights, atol=1e-9)
    for found in (a, b):
        assert found.index_weights is not None
        np.testing.assert_allclose([found.index_weights[0, block == k].sum() for k in range(6)], 1.0)
    own = np.flatnonzero(block == block[4])
    ratio = (b.index_weights[0, own] / b.index_weights[0, own[0]]) / (
        a.index_weights[0, own] / a.index_weights[0, own[0]]
    )
    np.testing.assert_allclose(ratio, np.where(own == 4, 1 / 3, 1.0))


def test_missing_answers_are_left_out_pair_by_pair() -> None:
    model = path_model([("b", "a")])
    rng = np.random.default_rng(9)
    values = rng.normal(size=(30, 4)) + rng.normal(size=(30, 1))
    values[rng.random((30, 4)) < 0.15] = np.nan
    found = pairwise_moments(values, np.ones((1, 30))).correlations[0]
    for j in range(4):
        for k in range(4):
            both = np.isfinite(values[:, j]) & np.isfinite(values[:, k])
            assert found[j, k] == pytest.approx(np.corrcoef(values[both, j], values[both, k])[0, 1])
    assert estimate(model, list("wxyz"), [0, 0, 1, 1], values, draws=0).respondents == 30


def test_answers_missing_at_random_move_the_result_little() -> None:
    model = path_model(ECSI)
    values, block = _simulated(3000, 4, model)
    holed = np.where(np.random.default_rng(8).random(values.shape) < 0.1, np.nan, values)
    names = [f"q{k}" for k in range(len(block))]
    whole, part = (estimate(model, names, block.tolist(), x, draws=0).solution for x in (values, holed))
    assert whole is not None and part is not None
    assert 0 < np.abs(whole.paths - part.paths).max() < 0.04


def test_case_weights_count_as_so_many_people() -> None:
    model = path_model(ECSI)
    values, block = _simulated(80, 6, model)
    counts = np.random.default_rng(2).integers(0, 4, 80)
    names = [f"q{k}" for k in range(len(block))]
    weighted = estimate(model, names, block.tolist(), values, counts, draws=0)
    repeated = estimate(model, names, block.tolist(), np.repeat(values, counts, axis=0), draws=0)
    assert weighted.solution is not None and repeated.solution is not None
    np.testing.assert_allclose(weighted.solution.weights, repeated.solution.weights, atol=1e-9)
    assert weighted.index_weights is not None and repeated.index_weights is not None
    np.testing.assert_allclose(weighted.index_weights, repeated.index_weights, atol=1e-9)
    assert weighted.respondents == int((counts > 0).sum())


def test_a_constant_item_and_one_that_nobody_answered_are_out_with_reason() -> None:
    model = path_model(ECSI)
    values, block = _simulated(90, 2, model)
    values[:, 1] = 70.0
    values[:, 5] = np.nan
    names = [f"q{k}" for k in range(len(block))]
    found = estimate(model, names, block.tolist(), values, draws=0)
    assert found.reason is None and found.excluded == {"q1": "constant_item", "q5": "no_answers"}
    assert "q1" not in found.items and len(found.items) == len(block) - 2
    rest = [k for k in range(len(block)) if k not in (1, 5)]
    alone = estimate(model, [names[k] for k in rest], block[rest].tolist(), values[:, rest], draws=0)
    assert alone.solution is not None and found.solution is not None
    np.testing.assert_array_equal(alone.solution.weights, found.solution.weights)


def test_a_block_of_constant_items_alone_gives_no_result() -> None:
    model = path_model([("b", "a")])
    values = np.column_stack([np.arange(20.0), np.arange(20.0) ** 2, np.full(20, 5.0)])
    found = estimate(model, ["x", "y", "z"], [0, 0, 1], values)
    assert (found.reason, found.excluded) == ("latent_variable_without_items", {"z": "constant_item"})
    assert found.solution is None


def test_fewer_answers_than_items_give_no_result() -> None:
    model = path_model(ECSI)
    values, block = _simulated(19, 2, model)
    names = [f"q{k}" for k in range(len(block))]
    assert len(block) == 18
    assert estimate(model, names, block.tolist(), values[:18], draws=0).reason == "fewer_answers_than_items"
    assert estimate(model, names, block.tolist(), values, draws=0).reason is None
    holed = values.copy()
    holed[0, 0] = np.nan  # 18 answered both of some pair
    assert estimate(model, names, block.tolist(), holed, draws=0).reason == "fewer_answers_than_items"


def test_an_item_that_points_the_other_way_is_put_out_and_the_rest_estimated_again() -> None:
    model = path_model(ECSI)
    values, block = _simulated(200, 2, model)
    values[:, 0] = 100 - values[:, 0]  # asked the other way round, and nobody said so
    names = [f"q{k}" for k in range(len(block))]
    found = estimate(model, names, block.tolist(), values, draws=0)
    assert found.excluded == {"q0": "negative_weight"} and found.solution is not None
    assert (found.solution.weights > 0).all()
    alone = estimate(model, names[1:], block[1:].tolist(), values[:, 1:], draws=0)
    assert alone.solution is not None
    np.testing.assert_array_equal(found.solution.weights, alone.solution.weights)


def test_two_antecedents_that_are_the_same_give_no_result() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(40, 2)) + rng.normal(size=(40, 1))
    values = np.column_stack([x, x, rng.normal(size=40) + x[:, 0]])
    found = estimate(path_model([("c", "a"), ("c", "b")]), list("vwxyz"), [0, 0, 1, 1, 2], values, draws=0)
    assert found.reason == "singular" and found.solution is None


def test_quality_figures_by_hand() -> None:
    loadings = np.array([0.9, 0.8, 0.7])
    assert average_variance_extracted(loadings) == pytest.approx((0.81 + 0.64 + 0.49) / 3)
    assert composite_reliability(loadings) == pytest.approx(2.4**2 / (2.4**2 + 0.19 + 0.36 + 0.51))
    r = np.array([[1, 0.5, 0.4], [0.5, 1, 0.3], [0.4, 0.3, 1]])
    assert cronbach_alpha(r) == pytest.approx(3 * 0.4 / 1.8)
    assert cronbach_alpha(np.eye(1)) is None


def test_standardised_alpha_is_that_of_the_items_variances() -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(size=(60, 4)) + rng.normal(size=(60, 1))
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    alpha = 4 / 3 * (1 - z.var(axis=0).sum() / z.sum(axis=1).var())
    assert cronbach_alpha(np.asarray(np.corrcoef(x.T), dtype=np.float64)) == pytest.approx(alpha)


@pytest.mark.parametrize(
    ("paths", "scheme", "words"),
    [
        ([("a", "b"), ("b", "c"), ("c", "a")], "path", "circle"),
        ([("a", "a")], "path", "circle"),
        ([("a", "b"), ("a", "b")], "path", "twice"),
        ([("a", "b"), ("c", None)], "path", "no path begins or ends at c"),
        ([("a", "b")], "ordinary", "none of path, centroid, factorial"),
    ],
)
def test_models_that_are_none_are_refused_in_words(
    paths: list[tuple[str, str | None]], scheme: str, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        path_model(paths, scheme)


MODELS = pl.DataFrame(
    [("M", to, of, "path") for to, of in ECSI],
    schema=["model", "latent_variable", "antecedent", "scheme"],
    orient="row",
)
ANSWER_COLUMNS = {
    "model": pl.String, "period": pl.String, "source": pl.String, "response_id": pl.String, "latent_variable": pl.String,
    "item": pl.String, "score_100": pl.Float64, "response_weight": pl.Float64, "responded_on": pl.Date,
}  # fmt: skip


def _answers(period: str, n: int, seed: int) -> pl.DataFrame:
    model = path_model(ECSI)
    values, block = _simulated(n, seed, model)
    rows = [
        ("M", period, "s", f"{period}-{i:04d}", model.latent_variables[block[k]], f"q{k:02d}", float(values[i, k]), None,
         date(2026, 1, 1) + timedelta(days=i % 9))
        for i in range(n) for k in range(len(block))
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=ANSWER_COLUMNS, orient="row")


def test_figures_of_several_periods_in_a_fixed_shape() -> None:
    answers = pl.concat([_answers("2026-01", 60, 1), _answers("2026-02", 12, 2)])
    found = path_figures(answers, MODELS, draws=50)
    assert dict(found.schema) == FIGURES
    assert set(found["as_of"]) == {date(2026, 1, 9)} and set(found["model_version"]) == {"1"}
    small = found.filter(pl.col("period") == "2026-02")
    assert small.select("figure", "reason", "respondents").rows() == [("no_result", "fewer_answers_than_items", 12)]
    full = found.filter(pl.col("period") == "2026-01")
    counts = dict(full.group_by("figure").len().iter_rows())
    assert counts == {
        "outer_weight": 18, "index_weight": 18, "loading": 18, "communality": 18, "path": 10, "total_effect": 15, "r_squared": 5,
        "average_variance_extracted": 6, "composite_reliability": 6, "cronbach_alpha": 6, "iterations": 1,
    }  # fmt: skip
    assert (
        full.filter(pl.col("figure").is_in(["path", "loading"])).select((pl.col("low") < pl.col("high")).all()).item()
    )
    shuffled = path_figures(
        answers.sample(fraction=1.0, shuffle=True, seed=3), MODELS.sample(fraction=1.0, shuffle=True, seed=4), draws=50
    )
    assert shuffled.equals(found)


def test_direct_and_indirect_effects_add_up() -> None:
    found = path_figures(_answers("2026-01", 300, 1), MODELS, draws=0)
    value = {
        (row["figure"], row["latent_variable"], row["antecedent"]): row["figure_value"]
        for row in found.iter_rows(named=True)
    }
    b = {(to, of): value[("path", to, of)] for to, of in ECSI}
    by_hand = b[("value", "quality")] * b[("satisfaction", "value")] + b[("satisfaction", "quality")]
    assert value[("total_effect", "satisfaction", "quality")] == pytest.approx(by_hand)
    assert value[("total_effect", "loyalty", "quality")] == pytest.approx(by_hand * b[("loyalty", "satisfaction")])
    assert ("total_effect", "image", "quality") not in value


def test_no_answers_give_no_rows_and_a_false_model_a_reason() -> None:
    empty = path_figures(pl.DataFrame(schema=ANSWER_COLUMNS), MODELS)
    assert empty.height == 0 and dict(empty.schema) == FIGURES
    circle = MODELS.vstack(pl.DataFrame([("M", "image", "loyalty", "path")], schema=MODELS.schema, orient="row"))
    found = path_figures(_answers("2026-01", 60, 1), circle)
    assert found["figure"].to_list() == ["no_result"] and "circle" in str(found["reason"][0])
