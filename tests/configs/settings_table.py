"""The table of settings in docs/file-formats.md, made from what their fields declare.

  python -m tests.configs.settings_table

writes it again after a setting has changed.
"""

import pathlib

from vgg_slim.configs import config
from vgg_slim.configs.fields import REFUSED, Setting

PAGE = pathlib.Path(__file__).parents[2] / 'docs' / 'file-formats.md'
_SECTION = '## train_dir: config.json\n'


def rows() -> list[str]:
  return [_row(name, setting) for name, setting in config.all_settings().items()]


def documented_rows() -> list[str]:
  return [line for line in _section().splitlines() if line.startswith('| `')]


def write() -> None:
  before = '\n'.join(documented_rows())
  text = PAGE.read_text(encoding='utf-8')
  PAGE.write_text(text.replace(before, '\n'.join(rows())), encoding='utf-8')


def _section() -> str:
  return PAGE.read_text(encoding='utf-8').partition(_SECTION)[2].partition('\n## ')[0]


def _row(name: str, setting: Setting) -> str:
  if setting.allowed is None:
    allowed = ''
  elif setting.allowed.names:
    allowed = ', '.join(f'`{name}`' for name in setting.allowed.names)
  else:
    allowed = setting.allowed.text.replace("'", '`')
  return f'| `{name}` | {setting.help} | {allowed} | {(setting.resume or REFUSED).describe()} |'


if __name__ == '__main__':
  write()
