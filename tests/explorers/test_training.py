"""The training scrubber: what is recorded comes back, and slider, keys, charts and buttons move all of it together."""

import base64
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
import traitlets
from scipy.special import expit

from gennotes import data, metrics
from gennotes.explorers import Recording, TrainingExplorer, grid, recordings, training
from gennotes.explorers.host import bundle, read
from gennotes.history import History

from .pages import PIXELS, hosted
from .shown import Shown

RING = data.toy("ring", "cpu")
EXTENT, FRAMES, TOTAL, DRAWN, SIZE, UPDATES = 1.6, 11, 60, 40, 9, 1001
WORDS = {"title": "Sick and cured", "alt": "Samples over eight modes, on the surface of the discriminator"}
SICK, CURED = "sick: a slow discriminator", "cured: equal rates"


def made(seed: int, modes: int, critic: bool = False) -> Recording:
    """A run whose samples come to lie on the first `modes` modes; some leave the picture, one is not a number."""
    rng = np.random.default_rng(seed)
    share = np.linspace(1, 0, FRAMES)[:, None, None]
    samples = RING.means.numpy()[rng.integers(0, modes, TOTAL)] + rng.normal(0, 0.01 + 0.6 * share, (FRAMES, TOTAL, 2))
    samples[2, 3] = np.nan
    samples[3, 4:6] = [1.7, 0.0]
    surface = 4 * rng.normal(size=(FRAMES, SIZE, SIZE))
    losses = rng.normal(1, 0.2, (2, UPDATES)).cumsum(1) / 100
    return Recording(np.arange(FRAMES) * 100, samples.astype(np.float32), surface, *losses, critic)


@pytest.fixture(scope="module")
def runs() -> dict[str, list[Recording]]:
    return {SICK: [made(0, 2), made(1, 3)], CURED: [made(2, 8), made(3, 8, critic=True)]}


@pytest.fixture
def explorer(runs, monkeypatch) -> TrainingExplorer:
    monkeypatch.setenv("GENNOTES_STATIC", "1")
    return training(runs, RING, extent=EXTENT, points=DRAWN, **WORDS)


@pytest.fixture
def shown(browser, tmp_path, explorer):
    opened = Shown(browser, tmp_path, explorer, reduced_motion="no-preference")
    yield opened
    opened.close()


def wanted(recording: Recording, frame: int) -> dict:
    """What the page must show, from the arrays themselves."""
    found, share, _ = metrics.mode_coverage(torch.from_numpy(recording.samples[frame]), RING)
    step = int(recording.step[frame])
    block = -(-UPDATES // 200)
    first = max(0, (step - 1) // block) * block
    losses = {name: getattr(recording, name)[first : first + block].mean() for name in ("discriminator", "generator")}
    outside = int((~(np.abs(recording.samples[frame, :DRAWN]) <= EXTENT).all(-1)).sum())
    return {"step": step, "found": int(found), "share": float(share), "outside": outside, "losses": losses}


def check_values(values: dict, runs: dict[str, list[Recording]]) -> None:
    expected = wanted(runs[values["condition"]][values["seed"]], values["frame"])
    assert values["losses"] == pytest.approx(expected.pop("losses"), rel=1e-3)
    assert {name: values[name] for name in expected} == pytest.approx(expected, abs=1e-12)


# ------------------------------------------------------------------------------------------------------ the recording


@pytest.fixture(scope="module")
def unpack(browser):
    """unpack(packed, frame, edit=None): samples and surface of a frame, as the page has them."""
    pages = []

    def call(packed: dict, frame: int, edit: tuple[str, str] | None = None) -> tuple[np.ndarray, np.ndarray]:
        source = bundle(read("recording.js")).replace("export ", "")
        if edit:
            assert source.count(edit[0]) == 1
            source = source.replace(*edit)
        page = browser.new_page()
        pages.append(page)
        page.set_content(f'<script type="module">{source}\nwindow.Recording = Recording;</script>')
        page.wait_for_function("window.Recording !== undefined")
        samples, surface = page.evaluate(
            """([packed, extent, frame]) => {
              const run = new Recording(packed, extent);
              return [run.samplesAt(frame), Array.from(run.surfaceAt(frame))];
            }""",
            [packed, EXTENT, frame],
        )
        return np.array(samples).reshape(-1, 2), np.array(surface).reshape(SIZE, SIZE)

    yield call
    for page in pages:
        page.close()


def check_unpacked(recording: Recording, packed: dict, unpack) -> None:
    """Samples to extent/65534, D to 1/510, a critic's score to 1/510 of its range; those outside are left out."""
    for frame in (0, 2, 3, FRAMES - 1):
        samples, cells = unpack(packed, frame)
        drawn = recording.samples[frame, :DRAWN]
        drawn = drawn[(np.abs(drawn) <= EXTENT).all(1)]
        assert samples.shape == drawn.shape
        assert np.abs(samples - drawn).max() <= EXTENT / 65534 + 1e-12
        low, high = packed["range"][frame]
        values = recording.surface[frame] if recording.critic else expit(recording.surface[frame])
        slack = 1e-3 * (high - low) if recording.critic else 1e-12  # the ends are rounded to four digits
        assert np.abs(low + cells / 255 * (high - low) - values).max() <= (high - low) / 510 + slack


def test_what_is_recorded_comes_back(explorer, runs, unpack):
    assert not runs[SICK][0].critic
    assert runs[CURED][1].critic
    for name, i in ((SICK, 0), (CURED, 1)):
        check_unpacked(runs[name][i], explorer.runs[name][i], unpack)


@pytest.mark.parametrize(
    "edit",
    [
        ("4 * i, true)", "4 * i, false)"),  # the higher byte first
        ("- 1) * this.extent", "- 1)"),
        ("if (!codes.includes(OUTSIDE)) found", "found"),
        ("4 * this.points * frame", "2 * this.points * frame"),
        ("frame * cells, (", "(frame + 1) * cells - this.size, ("),  # another part of the surface
    ],
)
def test_the_round_trip_rejects_planted_mistakes(explorer, runs, unpack, edit):
    with pytest.raises((AssertionError, ValueError)):
        check_unpacked(runs[SICK][0], explorer.runs[SICK][0], lambda packed, frame: unpack(packed, frame, edit))


def test_sizes():
    """Fifty frames of 300 samples and 40 × 40 cells: six runs in less than 2 MB, each in less than 600 kB."""
    rng = np.random.default_rng(0)
    samples, losses = rng.normal(size=(51, 1000, 2)), rng.normal(size=(2, 2000))
    surface = np.broadcast_to(2 - 3 * grid(EXTENT, 40).norm(dim=1).reshape(40, 40).numpy(), (51, 40, 40))
    runs = [Recording(np.arange(51) * 40, samples, surface, *losses)] * 3
    made = training({SICK: runs, CURED: runs}, RING, extent=EXTENT, **WORDS)
    sizes = [len(json.dumps(one, separators=(",", ":"))) for each in made.runs.values() for one in each]
    print(f"characters of a run: {max(sizes):,}; of six: {sum(sizes):,}; the poster: {len(made.poster):,}")
    assert max(sizes) < 250_000
    assert sum(sizes) < 1_500_000
    assert len(made.poster) < 150_000


def test_the_grid_is_that_of_the_picture():
    points = grid(2.0, 4)
    assert points.shape == (16, 2)
    assert points[0].tolist() == [-1.5, -1.5]
    assert points[1].tolist() == [-0.5, -1.5]  # along x first
    assert points[-1].tolist() == [1.5, 1.5]
    with pytest.raises(ValueError, match="extent is -1 and size 4"):
        grid(-1, 4)


def test_recordings_of_an_ensemble_and_of_one_network():
    rng = np.random.default_rng(0)
    shots = {"step": np.arange(3), "samples": rng.normal(size=(3, 2, 5, 2)), "surface": rng.normal(size=(3, 2, 4, 4))}
    records = {name: rng.normal(size=(7, 2)) for name in ("discriminator", "generator")}
    several = recordings(History(snapshots=shots, records={"step": np.arange(1, 8), **records}))
    assert len(several) == 2
    for i, one in enumerate(several):
        alone = {name: values if name == "step" else values[:, i] for name, values in shots.items()}
        (single,) = recordings(History(snapshots=alone, records={k: v[:, i] for k, v in records.items()}), critic=True)
        assert (one.critic, single.critic) == (False, True)
        for name in ("step", "samples", "surface", "discriminator", "generator"):
            np.testing.assert_array_equal(getattr(one, name), getattr(single, name))
        np.testing.assert_array_equal(one.generator, records["generator"][:, i])
    with pytest.raises(ValueError, match="no records named discriminator"):
        recordings(History(snapshots=shots, records={"generator": records["generator"]}))


# ------------------------------------------------------------------------------------------------- what a reader does


def state(shown) -> tuple[dict, np.ndarray, list[str], str]:
    """Values, pixels of the plane, the places of the cursors, and the sentence."""
    values = shown.data("values")
    pixels = shown.page.locator("canvas.gn-view").evaluate("e => e.toDataURL()")
    cursors = shown.page.locator(".gn-cursor").evaluate_all("all => all.map(e => e.getAttribute('d'))")
    return values, pixels, cursors, shown.page.locator(".gn-sentence").inner_text()


def check_moved(before, after) -> None:
    """Pixels, all cursors and the sentence moved with the frame."""
    assert before[0]["frame"] != after[0]["frame"]
    assert before[1] != after[1]
    assert len(before[2]) == 3
    assert all(old != new for old, new in zip(before[2], after[2], strict=True))
    assert f"After {after[0]['step']:,} steps: {after[0]['found']} of 8 modes found" in after[3]


def test_the_slider_moves_all_together(shown, runs):
    slider = shown.page.get_by_role("slider", name="step of training")
    before = state(shown)
    assert before[0]["frame"] == FRAMES // 2
    check_values(before[0], runs)
    for key, frame in (("ArrowRight", 6), ("End", 10), ("ArrowLeft", 9), ("Home", 0), ("PageUp", 1), ("PageDown", 0)):
        slider.press(key)
        after = state(shown)
        assert after[0]["frame"] == frame
        assert after[0]["step"] == 100 * frame
        check_moved(before, after)
        check_values(after[0], runs)
        assert slider.get_attribute("aria-valuetext") == f"step {100 * frame}, {after[0]['found']} of 8 modes"
        before = after


def test_the_check_of_values_rejects_another_frame_seed_or_condition(shown, runs):
    values = shown.data("values")
    for wrong in ({"frame": 3}, {"seed": 1}, {"condition": CURED}):
        with pytest.raises(AssertionError):
            check_values({**values, **wrong}, runs)


def test_conditions_and_seeds_are_switched_at_the_same_step(shown, runs):
    before = state(shown)
    for name, change in ((CURED, {"condition": CURED}), ("seed 1", {"seed": 1}), (SICK, {"condition": SICK})):
        button = shown.page.get_by_role("button", name=name, exact=True)
        button.focus()
        button.press("Enter")
        after = state(shown)
        assert after[0].items() >= change.items()
        assert after[0]["frame"] == before[0]["frame"]
        assert after[1] != before[1]
        assert after[2] == before[2]
        assert button.get_attribute("aria-pressed") == "true"
        check_values(after[0], runs)
        before = after
    assert shown.page.locator(".gn-training [aria-pressed=true]").count() == 2


def test_the_scale_names_a_probability_and_the_range_of_a_critic(shown, explorer):
    assert shown.page.locator(".gn-scale").inner_text().split() == ["D(x):", "0,", "made", "1,", "real"]
    shown.page.get_by_role("button", name=CURED).click()
    shown.page.get_by_role("button", name="seed 1").click()
    shown.settle()
    low, high = (f"{value:.2f}".replace("-", "−") for value in explorer.runs[CURED][1]["range"][FRAMES // 2])
    assert shown.page.locator(".gn-scale").inner_text().split() == ["f(x):", low, high]


@pytest.mark.parametrize("chart", [0, 1, 2])
def test_a_chart_is_clicked_and_dragged(shown, runs, chart):
    hold = shown.page.locator(".gn-hold-chart").nth(chart)
    box = hold.bounding_box()
    left, width = box["x"] + 38, box["width"] - 50  # the margins of a panel
    shown.page.mouse.click(left + 0.21 * width, box["y"] + 40)
    before = state(shown)
    assert before[0]["frame"] == 2  # the nearest
    shown.drag(hold, 0.6 * width, at=(left + 0.21 * width, box["y"] + 40))
    after = state(shown)
    assert after[0]["frame"] == 8
    check_moved(before, after)
    check_values(after[0], runs)


def test_points_stand_where_they_were_recorded(browser, tmp_path, runs, monkeypatch):
    """One sample in the upper right alone: its pixels are vermillion there; and the surface has its rows upwards."""
    monkeypatch.setenv("GENNOTES_STATIC", "1")
    samples = np.full((2, 1, 2), [0.8, 0.4])
    surface = np.full((2, 4, 4), -9.0)
    surface[:, 0] = 9.0  # the lowest row is real
    one = Recording([0, 1], samples, surface, [0.0], [0.0])
    opened = Shown(browser, tmp_path, training({"one": [one]}, RING, extent=EXTENT, **WORDS))
    found = opened.page.locator("canvas.gn-view").evaluate(PIXELS)
    pixels = np.frombuffer(base64.b64decode(found["data"]), np.uint8).reshape(found["height"], found["width"], 4)
    places = [(0.75, 0.375), (0.25, 0.375), (0.6, 0.97), (0.6, 0.03)]
    point, ground, lowest, highest = (
        pixels[int(y * found["height"]), int(x * found["width"]), :3].tolist() for x, y in places
    )
    assert point == [213, 94, 0]
    assert ground == highest == [124, 199, 176]
    assert min(lowest) > 240
    opened.close()


PLAY = """at => new Promise(done => {
  const root = document.querySelector(".gn-explorer");
  const [play, status] = [root.querySelector(".gn-scrub button"), root.querySelector("[role=status]")];
  const seen = [];
  const watch = new MutationObserver(() => {
    seen.push(JSON.parse(root.dataset.values).frame);
    if (seen.at(-1) < at) return;
    watch.disconnect();
    const during = [play.textContent, status.textContent];
    play.click();
    done({ seen, during, before });
  });
  play.click();
  const before = status.textContent;
  watch.observe(root, { attributes: true });
})"""


def test_it_plays_frame_by_frame_and_can_be_paused(shown, runs):
    shown.page.get_by_role("slider").press("Home")
    played = shown.page.evaluate(PLAY, 4)
    assert sorted(set(played["seen"])) == [0, 1, 2, 3, 4]  # none is left out
    assert played["during"] == ["Pause", played["before"]]  # it does not speak while it plays
    paused = shown.data("values")
    assert paused["frame"] == 4
    check_values(paused, runs)
    sentence = shown.page.locator(".gn-sentence").text_content()
    shown.page.wait_for_function("said => document.querySelector('[role=status]').textContent === said", arg=sentence)
    assert shown.data("values") == paused


def test_it_plays_to_the_end_while_runs_are_switched(shown):
    shown.page.evaluate(
        """name => {
          document.querySelector(".gn-scrub button").click();
          [...document.querySelectorAll(".gn-choice button")].find(e => e.textContent === name).click();
        }""",
        CURED,
    )
    shown.page.wait_for_function("JSON.parse(document.querySelector('.gn-explorer').dataset.values).frame === 10")
    assert shown.data("values")["condition"] == CURED
    shown.page.get_by_role("button", name="Play").click()  # from the beginning
    shown.page.wait_for_function("JSON.parse(document.querySelector('.gn-explorer').dataset.values).frame < 10")


def test_without_motion_the_button_goes_one_frame_further(browser, tmp_path, explorer):
    still = Shown(browser, tmp_path, explorer, reduced_motion="reduce")
    still.page.get_by_role("button", name="Next").click()
    assert still.data("values")["frame"] == 6
    still.page.wait_for_timeout(300)
    assert still.data("values")["frame"] == 6
    still.page.get_by_role("slider").press("End")
    still.page.get_by_role("button", name="Next").click()
    assert still.data("values")["frame"] == 0
    still.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_on_a_phone(browser, tmp_path, explorer, theme):
    phone = Shown(
        browser, tmp_path, explorer, viewport={"width": 390, "height": 844}, has_touch=True, device_scale_factor=2
    )
    phone.page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
    phone.settle()
    assert phone.page.evaluate("document.documentElement.scrollWidth") == 390
    canvas, slider = phone.page.locator("canvas.gn-view"), phone.page.get_by_role("slider")
    box = canvas.bounding_box()
    assert canvas.evaluate("e => e.width") == round(2 * box["width"])  # sharp
    assert slider.bounding_box()["y"] - box["y"] - box["height"] < 30  # the slider stands under the picture
    hold = phone.page.locator(".gn-hold-chart").first
    hold.scroll_into_view_if_needed()
    place = hold.bounding_box()
    phone.page.touchscreen.tap(place["x"] + 40, place["y"] + 40)
    assert phone.data("values")["frame"] == 0
    phone.close()


def test_python_and_the_page_follow_each_other(browser, explorer):
    page = hosted(browser, explorer).page
    page.evaluate(f"model.set('condition', {json.dumps(CURED)}); model.set('frame', 3)")  # as changes in Python arrive
    page.wait_for_function("JSON.parse(document.querySelector('.gn-explorer').dataset.values).frame === 3")
    assert json.loads(page.locator(".gn-explorer").get_attribute("data-values"))["condition"] == CURED
    page.get_by_role("button", name="seed 1").click()
    page.get_by_role("slider").press("ArrowRight")
    page.wait_for_function("saved.length > 0")
    assert page.evaluate("['condition', 'seed', 'frame'].map(model.get)") == [CURED, 1, 4]
    page.evaluate("end()")
    assert page.evaluate("Object.keys(heard)") == []
    page.close()


# ----------------------------------------------------------------------------------------------------------- in Python


def test_traits_are_checked(explorer):
    assert (explorer.condition, explorer.seed, explorer.frame) == (SICK, 0, FRAMES // 2)
    explorer.frame = FRAMES - 1
    for name, value, words in (
        ("condition", "well", "condition is 'well'; give one of 'sick: a slow discriminator', 'cured: equal rates'"),
        ("seed", 2, "seed is 2; give a place from 0 to 1"),
        ("frame", -1, "frame is -1; give a place from 0 to 10"),
    ):
        with pytest.raises(traitlets.TraitError, match=words):
            setattr(explorer, name, value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"step": np.arange(FRAMES)}, "'cured: equal rates', seed 1: its steps differ from those of the first"),
        ({"samples": np.zeros((FRAMES, 3, 2))}, r"samples has shape \(11, 3, 2\); give \(11, 60, 2\)"),
        ({"surface": np.zeros((FRAMES, 4, 5))}, r"surface has shape \(11, 4, 5\); give \(11, 5, 5\)"),
        ({"surface": np.full((FRAMES, 4, 4), np.nan)}, "surface holds NaN or infinity"),
        ({"generator": np.zeros(7)}, r"generator has shape \(7,\); give \(1001,\)"),
    ],
)
def test_recordings_that_do_not_fit_are_refused(runs, change, words):
    wrong = {SICK: runs[SICK], CURED: [runs[CURED][0], replace(runs[CURED][1], **change)]}
    with pytest.raises(ValueError, match=words):
        training(wrong, RING, extent=EXTENT, **WORDS)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"runs": {}}, "runs is empty"),
        ({"runs": {"one": []}}, "runs is empty"),
        ({"extent": 0.0}, r"extent is 0\.0; give a number above 0"),
        ({"points": 0}, "points is 0"),
        ({"seeds": [1]}, "'sick: a slow discriminator' has 2, .* there are 1 seeds"),
        ({"alt": ""}, "title or alt is empty"),
    ],
)
def test_what_does_not_fit_is_refused(runs, values, words):
    given = {"runs": runs, "mixture": RING, "extent": EXTENT, **WORDS, **values}
    with pytest.raises(ValueError, match=words):
        training(given.pop("runs"), given.pop("mixture"), **given)


def test_too_much_for_a_page_is_refused():
    long = Recording(np.arange(200), np.zeros((200, 400, 2)), np.zeros((200, 48, 48)), np.zeros(9), np.zeros(9))
    with pytest.raises(ValueError, match=r"the longest run has 934,400 characters .* record fewer frames"):
        training({"long": [long]}, RING, extent=EXTENT, **WORDS)
