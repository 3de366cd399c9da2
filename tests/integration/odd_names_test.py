"""A whole run with class names that are formulas to matplotlib, or that its fonts lack."""

import warnings

import pytest

from tests.testing import make_data_set, run_command

pytestmark = pytest.mark.timeout(1800)
NAMES = ('$$', 'a_$b^{', '猫和狗', '😀 cat', 'x' * 200, 'tab\there')


def test_summaries_and_plots_of_a_run_cause_no_warnings(tmp_path):
  data_dir, _ = make_data_set(tmp_path / 'data', 4, len(NAMES), names=NAMES)
  data, train_dir = f'--data_dir={data_dir}', f'--train_dir={tmp_path / "run"}'
  with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter('always')
    codes = [
      run_command(
        'train',
        *(data, train_dir, '--quiet', '--model=vgg_a@4', '--fc_units=8', '--batch_size=6'),
        *('--max_steps=2', '--image_summary_every_steps=1', '--mixup=0.2'),
      ),
      run_command('evaluate', train_dir, f'--report={tmp_path / "report.html"}', '--quiet'),
      run_command('plot', '--what=samples', train_dir, f'--output={tmp_path / "samples.png"}'),
      run_command('plot', '--what=history', train_dir, f'--output={tmp_path / "history.png"}'),
    ]
  assert codes == [0, 0, 0, 0]
  warned = [
    str(w.message) for w in caught if 'font' in str(w.message) or 'layout' in str(w.message)
  ]
  assert warned == []
