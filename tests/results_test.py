"""The numbers in docs/results are those of its curves, and all pages quote them correctly."""

import csv
import itertools
import json
import re

import PIL.Image
import pytest

from tests import docs_test, imports, results, results_add

ROOT = imports.ROOT
RUNS = results.read_runs()
RECIPES = results_add.RECIPES
MEASURED = [run for run in RUNS if run.status == 'measured']
# '98.9, 99.7 and 99.4 %', '34 to 51 %', and the range in '79.3 % (78.8 to 80.0)'.
_NUMBER = r'\d+(?:\.\d+)?'
QUOTES = re.compile(
  rf'((?:{_NUMBER}(?:, | and | to ))*{_NUMBER}) %(?: \(({_NUMBER} to {_NUMBER})\))?'
)
NOT_RUN = 'not run here'
NOT_MEASURED = ('not measured here', 'not reproduced here', 'no result is published')
# Percentages on tutorials that are no accuracy of a run in the table.
OTHER_PERCENTAGES = {
  'tutorials/bottleneck-features.md': ['0.6', '34', '51'],  # one image; defaults of vgg_slim 0.2
}
SPLITS = {'validation': 'validation', 'test': 'test', '验证': 'validation', '测试': 'test'}
SECONDS = {'min': 60, 's': 1, '分钟': 60, '秒': 1, 'minutes': 60}


def by_name(run):
  return run.name


def quoted(text):
  """Numbers in front of percent signs, as they are written."""
  return re.findall(_NUMBER, ' '.join(itertools.chain(*QUOTES.findall(text))))


def is_one_of(text, values):
  return any(results.is_quote_of(text, value) for value in values)


def follows(run, recipe):
  """Whether a run is one of the recipe as it is, run here."""
  if run.recipe != recipe or run.status == 'published' or run.command is None:
    return False
  return results_add.changed_flags(run.command) is None


def header_fields(recipe):
  """The fields of a recipe's header, such as 'Expect', each on one line."""
  lines = itertools.takewhile(lambda line: line.startswith('#'), RECIPES[recipe].splitlines())
  text = '\n'.join(line[1:].rstrip() for line in lines)
  fields = re.findall(r'^ (\w+): +(.*(?:\n {5,}\S.*)*)', text, re.MULTILINE)
  return {name: ' '.join(value.split()) for name, value in fields}


def test_numbers_are_found_and_compared_as_they_are_written():
  text = '98.9, 99.7 and 9 % of it, 79.3 % (78.8 to 80.0), 34 to 51 %, 12 of 13'
  assert quoted(text) == ['98.9', '99.7', '9', '79.3', '78.8', '80.0', '34', '51']
  right = [('98.9', 356 / 360), ('98.89', 356 / 360), ('99', 356 / 360), ('85', 0.85)]
  assert all(results.is_quote_of(text, value) for text, value in right)
  wrong = [('98.8', 356 / 360), ('98.9', 0.988), ('98.88', 356 / 360), ('86', 0.85)]
  assert not any(results.is_quote_of(text, value) for text, value in wrong)


def test_fractions_are_shown_with_the_digits_of_the_table():
  assert results.as_recorded((0.973, 0.974)) == '97.3 to 97.4'
  assert results.as_recorded((0.7, 0.781)) == '70.0 to 78.1'
  assert results.as_recorded((0.9861, 0.9944)) == '98.61 to 99.44'
  assert results.as_recorded((0.7, 0.8)) == '70 to 80'


def test_durations_have_three_digits_or_all_of_a_whole_number():
  assert [results.duration(seconds) for seconds in (12, 270, 3146, 74040)] == [
    *('12 s', '4.5 min', '52.4 min', '1234 min')
  ]


def test_the_table_is_complete():
  names = [run.name for run in RUNS]
  assert len(set(names)) == len(names)
  for run in RUNS:
    assert run.status in results.STATUSES
    assert (run.curve is not None) == (run.status == 'measured'), run.name
    assert bool(run.scores) == (run.status != 'published'), run.name
    assert run.status == 'published' or (run.processor and run.date), run.name
    if run.status == 'measured':
      assert run.seeds and run.command and run.seconds and run.images_per_second, run.name
    if run.recipe:
      assert run.recipe in RECIPES, run.name
    if run.tutorial:
      assert (ROOT / 'docs' / run.tutorial).is_file(), run.name
    for score in run.scores:
      if len(run.seeds) <= 1:
        assert score.interval == results.interval_of(score.accuracy, score.images), run.name
      assert score.interval[0] <= score.accuracy <= score.interval[1], run.name


def test_what_was_published_for_a_recipe_is_said_once_or_everywhere_alike():
  for recipe in RECIPES:
    published = {run.published for run in RUNS if run.recipe == recipe and run.published}
    assert len(published) <= 1, recipe


def test_the_files_are_those_that_the_table_names():
  named = {results.TABLE.name}
  for run in MEASURED:
    named |= {run.curve, results.image_of(run).name}
    named |= {s.source for s in run.scores if s.source not in ('best', 'last')}
  assert {path.name for path in results.FOLDER.iterdir()} == named


def test_no_file_names_a_folder_of_a_machine():
  for path in results.FOLDER.iterdir():
    if path.suffix != '.png':
      found = re.findall(r'[\s="](/[\w.]+/\S*)', path.read_text(encoding='utf-8'))
      assert found == [], path


@pytest.mark.parametrize('run', MEASURED, ids=by_name)
def test_the_numbers_of_a_run_are_those_in_its_files(run):
  with (results.FOLDER / run.curve).open(encoding='utf-8', newline='') as stream:
    rows = list(csv.DictReader(stream))
  rates = [rate for row in rows if (rate := float(row['images_per_second']))]  # 0 is not known
  assert run.images_per_second == pytest.approx((min(rates), max(rates)), rel=1e-3)  # 4 digits
  accuracies = [float(row['validation_accuracy']) for row in rows if row['validation_accuracy']]
  expected = {'last': accuracies[-1:], 'best': sorted(accuracies)[-1:]}
  for score in run.scores:
    if score.source in expected:
      assert (score.split, [score.accuracy]) == ('validation', expected[score.source])
      continue
    values = json.loads((results.FOLDER / score.source).read_text(encoding='utf-8'))
    assert (score.split, score.images) == (values['split'], values['num_images'])
    assert score.accuracy == pytest.approx(1 - values['top_1_error'], abs=1e-6)
    low, high = values['top_1_interval']
    assert score.interval == pytest.approx((1 - high, 1 - low), abs=1e-4)


@pytest.mark.parametrize('run', MEASURED, ids=by_name)
def test_the_image_of_a_run_shows_its_curve(run):
  assert results.is_drawn(run), f'{results.image_of(run).name}: run `make results`'
  with PIL.Image.open(results.image_of(run)) as image:
    assert image.width > 500


def test_the_page_is_made_from_the_table():
  text = results.PAGE.read_text(encoding='utf-8')
  assert text == results.page(text, RUNS), 'run `make results`'


def test_every_command_of_the_table_is_one_that_the_pages_check():
  """docs_test reads the flags of every command on the page."""
  shown = docs_test.blocks(results.PAGE)
  for run in RUNS:
    if run.command:
      assert run.command + '\n' in shown, run.name
      calls = docs_test.commands(run.command)
      assert len(calls) == len(run.command.splitlines()), run.command


@pytest.mark.parametrize('recipe', RECIPES)
def test_the_header_of_a_recipe_quotes_its_runs(recipe):
  fields = header_fields(recipe)
  of_recipe = [run for run in RUNS if run.recipe == recipe]
  known = [value for run in of_recipe for value in run.values()]
  assert [text for text in quoted(fields['Expect']) if not is_one_of(text, known)] == []
  runs = [run for run in of_recipe if follows(run, recipe)]
  if not runs:
    assert NOT_RUN in fields['Cost']
    assert any(phrase in fields['Expect'] for phrase in NOT_MEASURED)
    return
  names = ', '.join(run.name for run in runs)
  assert NOT_RUN not in fields['Cost'], f'{names} ran it'
  assert not any(phrase in fields['Expect'] for phrase in NOT_MEASURED), f'{names} measured it'
  accuracies = [score.accuracy for run in runs for score in run.scores]
  assert any(is_one_of(text, accuracies) for text in quoted(fields['Expect'])), names
  minutes = re.findall(rf'({_NUMBER})(?: to ({_NUMBER}))? minutes', fields['Cost'])
  rates = re.findall(rf'({_NUMBER})-({_NUMBER}) images/s', fields['Cost'])
  assert minutes
  for text in filter(None, itertools.chain(*minutes)):
    assert is_one_of(text, [run.seconds / 6000 for run in runs if run.seconds]), text
  for text in itertools.chain(*rates):
    ends = [end / 100 for run in runs for end in run.images_per_second or ()]
    assert is_one_of(text, ends), text


@pytest.mark.parametrize('page', ['README.md', 'README.zh-CN.md'])
def test_the_readme_quotes_the_table(page):
  text = (ROOT / page).read_text(encoding='utf-8')
  rows = re.findall(
    rf'^\| (.*?) \| (\d*) ?\| ([\d,]+) ?(?:张)?(\w+?)(?: images|图像) \| ({_NUMBER}) % '
    rf'\| ({_NUMBER}) (\w+) \|$',
    text,
    re.MULTILINE,
  )
  assert len(rows) == len(re.findall(r'^\|.* % \|.*\|$', text, re.MULTILINE)) > 5
  for name, seed, images, split, accuracy, time, unit in rows:
    recipe = name.strip('`') if name.startswith('`') else None
    found = [
      run.name
      for run in RUNS
      for score in run.scores
      if run.recipe == recipe
      and (not seed or run.seeds == (int(seed),))
      and (score.split, score.images) == (SPLITS[split], int(images.replace(',', '')))
      and results.is_quote_of(accuracy, score.accuracy)
      and run.seconds
      and results.is_quote_of(time, run.seconds / SECONDS[unit] / 100)
    ]
    assert found, (name, seed, accuracy, time)
  every = [value for run in RUNS for value in run.values()]
  decimals = [number for number in quoted(text) if '.' in number]
  assert len(decimals) > 5
  assert [number for number in decimals if not is_one_of(number, every)] == []


@pytest.mark.parametrize(
  ('page', 'sentence'),
  [
    ('README.md', r'reaches ([\d.]+) % validation'),
    ('README.zh-CN.md', r'验证集准确率为 ([\d.]+) %'),
  ],
)
def test_the_readme_says_what_make_train_reaches(page, sentence):
  text = ' '.join((ROOT / page).read_text(encoding='utf-8').split())
  (number,) = re.findall(sentence, text)
  runs = [run for run in RUNS if follows(run, 'digits_vgg16') and run.seeds == (0,)]
  scored = [s.accuracy for run in runs for s in run.scores if s.split == 'validation']
  assert is_one_of(number, scored)


def test_the_page_of_recipes_quotes_the_table():
  text = (ROOT / 'docs/recipes.md').read_text(encoding='utf-8')
  rows = re.findall(r'^\| `(\w+)` \|[^|]*\|([^|]*)\| ?([^|]*)\|$', text, re.MULTILINE)
  assert {name for name, *_ in rows} == set(RECIPES)
  for name, result, source in rows:
    of_recipe = [run for run in RUNS if run.recipe == name]
    if source.startswith('measured'):
      own = [run for run in of_recipe if follows(run, name)]
      known = [score.accuracy for run in own for score in run.scores]
    else:
      known = [other.value for run in of_recipe for other in run.published]
    assert bool(quoted(result)) == bool(known), name
    assert [number for number in quoted(result) if not is_one_of(number, known)] == [], name


@pytest.mark.parametrize(
  'page', sorted(ROOT.glob('docs/tutorials/*.md')), ids=lambda path: path.stem
)
def test_a_tutorial_quotes_the_table(page):
  name = page.relative_to(ROOT / 'docs').as_posix()
  known = [value for run in RUNS if run.tutorial == name for value in run.values()]
  found = quoted(docs_test.FENCED.sub('', page.read_text(encoding='utf-8')))
  unknown = [number for number in found if not is_one_of(number, known)]
  assert unknown == OTHER_PERCENTAGES.get(name, [])
