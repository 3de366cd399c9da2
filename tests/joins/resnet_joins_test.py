import pytest

from tests.joins import matrix, rows

ROWS = [*rows.list_rows('resnet'), rows.FULL_ROWS['resnet']]


@pytest.mark.timeout(600)
@pytest.mark.parametrize('row', ROWS, ids=lambda row: row.name)
def test_evaluation_prediction_and_export_agree(row, tmp_path, tmp_path_factory):
  matrix.check_row(row, tmp_path, tmp_path_factory.getbasetemp() / 'joins_data')
