"""Checks the documentation: commands, flags, links and messages exist, and Python runs."""

import dataclasses
import importlib
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import textwrap

import numpy as np
import PIL.Image
import pytest
from sklearn import datasets

import vgg_slim
from tests import imports, testing
from vgg_slim.checkpoints import contract
from vgg_slim.commands import installation
from vgg_slim.compat import tf
from vgg_slim.configs import config, net
from vgg_slim.data import example_proto, manifest
from vgg_slim.evaluation import results
from vgg_slim.features import cache
from vgg_slim.preprocessing import description
from vgg_slim.training import history

ROOT = pathlib.Path(__file__).parents[1]
PAGES = [
  ROOT / 'README.md',
  ROOT / 'README.zh-CN.md',
  ROOT / 'CONTRIBUTING.md',
  ROOT / 'SECURITY.md',
  *sorted(ROOT.joinpath('docs').rglob('*.md')),
]
RECIPES = sorted(ROOT.joinpath('recipes').glob('*.flags'))

TOOL = re.compile(r'^(?:tools/|//tools:|vgg-slim-)([a-z][a-z_-]*)$')
LINK = re.compile(r'\]\(([^)#\s]+)[^)]*\)')
# Blocks between fences, or of lines indented by four spaces after a blank line.
FENCED = re.compile(r'^```(\w+)\n(.*?)^```$', re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r'(?:^|\n)\n((?:    .*\n|\n(?=    ))+)')
OF_EVERY_TOOL = {'flagfile', 'help', 'progress', 'quiet', 'verbose', 'version'}
# Flags that are added to those of a page and override them.
THIN = ('--model=vgg16_bn@4', '--image_size=32', '--fc_units=16')
SMALL = {
  'convert_to_tfrecord': ('--num_workers=1',),
  'doctor': (*THIN, '--batch_size=8', '--nodry_step'),
  'train': (*THIN, '--batch_size=8', '--epochs=1'),
}

# All tools in one process; the flags of each are removed before the next one defines its own.
READ_FLAGS = """
import importlib, json, sys
from absl import flags
from vgg_slim.commands import invocation
found, refused = {}, []
own = set(flags.FLAGS)
for name, calls in json.load(sys.stdin).items():
  importlib.import_module(f'vgg_slim.commands.{name}')
  found[name] = sorted(set(flags.FLAGS) - own)
  for arguments in calls:
    try:
      flags.FLAGS([name, *arguments])
    except flags.Error as error:
      refused.append(f'tools/{name} {arguments}: {error}')
    flags.FLAGS.unparse_flags()
  for flag in found[name]:
    delattr(flags.FLAGS, flag)
print(json.dumps([found, refused]))
"""


@pytest.fixture(scope='module')
def found_and_refused():
  """Flags of every tool by name, and commands in the documentation that a tool refuses."""
  calls = {name: [] for name in installation.commands()}
  texts = [text for page in PAGES for text in blocks(page)]
  for name, arguments in (
    call for text in [*texts, *map(header, RECIPES)] for call in commands(text)
  ):
    own = [word for word in arguments if word.removeprefix('--') not in OF_EVERY_TOOL]
    calls.get(name, []).append(own)
  run = subprocess.run(
    [sys.executable, '-c', READ_FLAGS],
    cwd=ROOT,
    env={**os.environ, 'PYTHONPATH': str(ROOT)},
    input=json.dumps(calls),
    check=True,
    capture_output=True,
    text=True,
    timeout=300,
  )
  found, refused = json.loads(run.stdout)
  return {name: set(flags) for name, flags in found.items()}, refused


@pytest.fixture(scope='module')
def tools(found_and_refused):
  return found_and_refused[0]


def blocks(page):
  text = page.read_text(encoding='utf-8')
  fenced = [body for _, body in FENCED.findall(text)]
  return fenced + [textwrap.dedent(found) for found in INDENTED.findall(FENCED.sub('', text))]


def spans(page):
  """Texts between backticks, each on one line."""
  text = INDENTED.sub('\n', FENCED.sub('', page.read_text(encoding='utf-8')))
  return [' '.join(span.split()) for span in re.findall(r'`([^`]+)`', text)]


def header(recipe):
  lines = recipe.read_text(encoding='utf-8').splitlines()
  return '\n'.join(line[1:] for line in lines if line.startswith('#'))


def commands(text):
  """(tool, arguments) of every call of a tool; continued lines are joined."""
  found = []
  for line in re.sub(r'\\\n', ' ', text).splitlines():
    if not re.search(r'tools[/:]\w|vgg-slim-\w', line):
      continue
    try:
      words = shlex.split(line, comments=True)
    except ValueError:  # an apostrophe: prose
      words = line.split()
    arguments = None
    for word in words:
      tool = TOOL.match(word)
      if tool:
        arguments = []
        found.append((tool[1].replace('-', '_'), arguments))
      elif word == '|':
        arguments = None
      elif arguments is not None:
        arguments.append(word)
        if found[-1][0] == 'legacy' and not word.startswith('-'):
          arguments = None  # what follows belongs to the script
  return found


def is_flag(word, known):
  name = re.match(r'--(\w+)', word)[1]
  return bool({name, name.removeprefix('no')} & (known | OF_EVERY_TOOL))


def problems(calls, tools):
  """Yields descriptions of errors in calls of tools."""
  for name, arguments in calls:
    if name not in tools:
      yield f'tools/{name} is not a tool'
      continue
    for word in arguments:
      if re.match(r'--\w', word) and not is_flag(word, tools[name]):
        yield f'tools/{name} has no {word}'
      if word.startswith('--flagfile=') and not ROOT.joinpath(word.partition('=')[2]).is_file():
        yield f'{word}: no such file'


def test_commands_are_parsed_and_their_errors_found():
  text = 'make x   or: tools/train --bad --nostaircase \\\n  --epochs=1 | tools/none  # tools/no\n'
  calls = commands(text)
  assert calls == [('train', ['--bad', '--nostaircase', '--epochs=1']), ('none', [])]
  known = {'train': {'staircase', 'epochs'}}
  assert list(problems(calls, known)) == ['tools/train has no --bad', 'tools/none is not a tool']


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.name)
def test_commands_and_flags_on_a_page_exist(page, tools):
  calls = [call for text in [*blocks(page), *spans(page)] for call in commands(text)]
  assert list(problems(calls, tools)) == []
  every = set().union(*tools.values())
  named = [span for span in spans(page) if re.match(r'--\w', span)]
  assert [span for span in named if not is_flag(span, every)] == []


def test_tools_accept_the_flags_of_all_commands(found_and_refused):
  assert not found_and_refused[1], '\n'.join(found_and_refused[1])


@pytest.mark.parametrize('recipe', RECIPES, ids=lambda recipe: recipe.stem)
def test_commands_and_flags_of_a_recipe_exist(recipe, tools):
  calls = commands(header(recipe))
  assert calls
  lines = recipe.read_text(encoding='utf-8').splitlines()
  calls.append(('train', [line for line in lines if line.startswith('--')]))
  assert list(problems(calls, tools)) == []


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.name)
def test_links_on_a_page_lead_to_files(page):
  links = [link for link in LINK.findall(page.read_text(encoding='utf-8')) if '://' not in link]
  assert [link for link in links if not page.parent.joinpath(link).exists()] == []


def python_blocks(page):
  return [text for text in blocks(page) if re.match(r'(from|import) \w', text)]


def test_messages_on_the_troubleshooting_page_are_in_the_sources():
  """Every block there that is not a command is a message, with `...` for its variable parts."""
  code = imports.read_modules(ROOT).values()
  sources = [s for module in code if not module.name.startswith('tests') for s in module.strings]
  shown = [text for text in blocks(ROOT / 'docs/troubleshooting.md') if not commands(text)]
  parts = [part.strip() for text in shown for part in ' '.join(text.split()).split('...')]
  assert shown
  absent = [part for part in parts if part and not any(part in source for source in sources)]
  assert not absent, '\n'.join(absent)


def test_the_page_on_file_formats_lists_every_field():
  classes = (manifest.Manifest, manifest.Split, manifest.Shard, contract.Contract, contract.Source)
  classes += (results.EvalResult, cache.FeatureKey)
  # Files hold the fields of these two among the others.
  classes += (net.Network, description.Preprocessing)
  fields = {field.name for each in classes for field in dataclasses.fields(each)}
  fields -= {'network', 'trunk', 'preprocessing'}
  fields |= {*history.EpochMetrics._fields, *cache.FeatureSet._fields}
  fields |= {value for value in vars(example_proto).values() if str(value).startswith('image/')}
  assert fields - set(spans(ROOT / 'docs/file-formats.md')) == set()


def run_python(page, **names):
  """Runs all Python code on a page; returns the names that it defines."""
  for code in python_blocks(ROOT / page):
    exec(compile(code, page, 'exec'), names)
  return names


@pytest.mark.parametrize('page', ['README.md', 'README.zh-CN.md'])
def test_the_code_in_the_readme_builds_and_uses_networks(page, first_hour, monkeypatch):
  monkeypatch.chdir(first_hour)
  given = {
    'pixels': np.zeros([2, 32, 32, 3], np.float32),
    'config': config.read_train_config('runs/photos'),
  }
  with tf.Graph().as_default():
    images = tf.placeholder(tf.float32, [2, 224, 256, 3])
    names = run_python(page, images=images, **given)
  outputs = names['outputs']
  assert outputs.logits.shape.as_list() == [2, 1000]
  assert outputs.score_map.shape.as_list() == [2, 1, 2, 1000]
  assert {'conv1/conv1_1', 'pool5', 'fc7'} <= set(outputs.end_points)
  assert names['logits'].shape == (2, 2)
  assert {score.class_name for score in names['answers'][0].top} == {'0', '1'}
  assert 0 <= names['error'] <= 1
  assert names['result'].checkpoint.startswith('runs/photos/model.ckpt-')


def test_the_tutorial_on_layers_learns():
  assert (
    run_python('docs/tutorials/layers.md')['held_out'] > 0.8
  )  # 0.90 with one seed; 0.1 by chance


def test_the_tutorial_on_slim_builds_a_training_step():
  train = run_python('docs/tutorials/slim.md')['train']
  assert train.type.startswith('AssignAdd')  # to the global step, after the update


@pytest.fixture(scope='module')
def first_hour(tmp_path_factory):
  """Folder in which all commands of `own-pictures.md` were run, with digits and a thin network."""
  folder = tmp_path_factory.mktemp('first_hour')
  digits = datasets.load_digits(n_class=2)
  for i, (pixels, label) in enumerate(zip(digits.images[:60], digits.target, strict=False)):
    parent = folder / ('new' if i < 4 else f'photos/{label}')
    parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray((pixels * 15).astype(np.uint8)).resize([32, 32]).save(parent / f'{i}.png')
  PIL.Image.open(folder / 'new/0.png').save(folder / 'cat.jpg')
  with pytest.MonkeyPatch.context() as patch:
    patch.chdir(folder)
    for block in blocks(ROOT / 'docs/how-to/own-pictures.md'):
      for name, arguments in commands(block):
        with testing.own_flags():
          tool = importlib.import_module(f'vgg_slim.commands.{name}')
          assert testing.run_tool(tool, *arguments, *SMALL.get(name, ())) == 0, name
  return folder


def test_commands_of_the_page_on_own_images_write_the_files_it_names(first_hour):
  manifest_file = json.loads((first_hour / 'data/photos/manifest.json').read_text())
  sizes = {name: split['num_examples'] for name, split in manifest_file['splits'].items()}
  assert sum(sizes.values()) == 56
  assert sizes['validation'] == pytest.approx(56 / 5, abs=1)
  named = ['data/photos/report.html', 'samples.png', 'runs/photos/best', 'history.png']
  named += ['report.html', 'grid.png', 'exports/photos/1/saved_model.pb']
  assert [name for name in named if not (first_hour / name).exists()] == []


def test_the_code_on_the_page_on_file_formats_reads_a_contract(first_hour, monkeypatch):
  monkeypatch.chdir(first_hour)
  assert run_python('docs/file-formats.md')['made_for'].class_names == ('0', '1')


def test_the_code_on_the_page_on_export_runs_an_export(first_hour, monkeypatch):
  monkeypatch.chdir(first_hour)
  with testing.own_flags():
    tool = importlib.import_module('vgg_slim.commands.export_model')
    arguments = ['--checkpoint_path=runs/photos', '--format=tflite', '--output=exports/phone']
    assert testing.run_tool(tool, *arguments) == 0
  names = run_python('docs/how-to/export.md')
  assert names['best'] in ('0', '1')
  assert names['label'] in ('0', '1')
  np.testing.assert_allclose(names['probabilities'].sum(), 1, rtol=1e-5)  # float32


def test_both_readmes_have_the_same_table_of_networks_and_commands():
  english, chinese = (
    (ROOT / page).read_text(encoding='utf-8') for page in ('README.md', 'README.zh-CN.md')
  )
  networks = re.compile(r'^\| (?:vgg_|resnet).*$', re.MULTILINE)
  assert networks.findall(english) == networks.findall(chinese) != []
  listed = [
    set(re.findall(r'^\| `.*?` \|', text.replace('、', ', '), re.MULTILINE))
    for text in (english, chinese)
  ]
  assert listed[0] == listed[1] != set()


@pytest.mark.parametrize('page', ['README.md', 'README.zh-CN.md'])
def test_the_speeds_of_a_readme_are_those_that_were_measured(page):
  measured = (ROOT / 'docs/performance.md').read_text(encoding='utf-8')
  training = measured.split('**training step, float32**')[1].split('**forward, float32**')[0]
  steps = [
    [f'{int(cell.split()[0]) / 1000:.1f}' for cell in row.split(' | ')]
    for row in re.findall(r'^\| VGG16, batch 16 \| (.*?) \| \| \|$', training, re.MULTILINE)
  ]
  memory = [
    row.split(' | ')
    for row in re.findall(r'^\| VGG16, batch 16, b?float\d\d \| (.*) \|$', measured, re.MULTILINE)
  ]
  rows = re.findall(
    r'^\| .*float.*(?:s|秒|GiB) \| (.*) \|$',
    (ROOT / page).read_text(encoding='utf-8'),
    re.MULTILINE,
  )
  assert [row.split(' | ') for row in rows] == steps + memory


def test_all_python_on_pages_is_run_by_a_test():
  """A page with Python code needs a test above that runs it and checks its results."""
  run = {'README.md', 'docs/tutorials/layers.md', 'docs/tutorials/slim.md', 'docs/file-formats.md'}
  run |= {'README.zh-CN.md', 'docs/how-to/export.md'}
  run |= {'docs/how-to/legacy.md'}  # by tests/commands/legacy_test.py
  assert {page.relative_to(ROOT).as_posix() for page in PAGES if python_blocks(page)} == run


def test_the_changelog_has_the_version_of_the_package_as_its_newest_release():
  headings = re.findall(
    r'^## (.*)$', (ROOT / 'CHANGELOG.md').read_text(encoding='utf-8'), re.MULTILINE
  )
  releases = [heading for heading in headings if heading != 'Unreleased']
  assert releases[0].split(' - ')[0] == vgg_slim.__version__
  assert headings == sorted(headings, reverse=True)  # 'Unreleased', if it is there, comes first


def test_every_recipe_is_on_the_page_of_recipes():
  assert {recipe.stem for recipe in RECIPES} <= set(spans(ROOT / 'docs/recipes.md'))


@pytest.mark.parametrize('page', ['SECURITY.md', 'docs/reliability.md'])
def test_every_test_that_a_page_of_promises_names_exists(page):
  named = re.findall(r'`([\w/*]+_test\.py)`', (ROOT / page).read_text(encoding='utf-8'))
  assert len(named) > 10
  assert [name for name in named if not list((ROOT / 'tests').glob(name))] == []
