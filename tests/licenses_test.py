import email.message
import importlib.metadata
import sys

import pytest

from tests import licenses


@pytest.mark.skipif(
  sys.version_info[:2] != (3, 11) or sys.platform != 'linux',
  reason='the page is made by Python 3.11 on Linux, where some packages are not needed',
)
def test_the_page_says_what_the_installed_packages_say():
  assert licenses.PAGE.read_text(encoding='utf-8') == licenses.page(), 'run `make licenses`'


def test_nothing_that_is_needed_to_run_forbids_what_the_license_of_this_project_allows():
  page = licenses.PAGE.read_text(encoding='utf-8')
  needed = page.partition('## Needed for development')[0]
  assert '| tensorflow | Apache-2.0 |' in needed
  assert 'GPL' not in needed and 'UNKNOWN' not in needed


@pytest.mark.parametrize(
  ('fields', 'license'),
  [
    ({'License-Expression': 'MIT', 'License': 'x'}, 'MIT'),
    ({'License': 'Apache 2.0'}, 'Apache-2.0'),
    (
      {'License': 'whole text ' * 100, 'Classifier': 'License :: OSI Approved :: MIT License'},
      'MIT',
    ),
    ({'License': 'UNKNOWN', 'Classifier': 'License :: OSI Approved :: BSD License'}, 'BSD'),
  ],
)
def test_the_license_is_found_in_one_of_three_fields(monkeypatch, fields, license):
  metadata = email.message.Message()
  for name, value in fields.items():
    metadata[name] = value
  monkeypatch.setattr(importlib.metadata, 'metadata', lambda _: metadata)
  assert licenses.license_of('some-package') == license
