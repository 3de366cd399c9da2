from vgg_slim.benchmarks import paper_errors


def test_tables_4_and_5_agree_with_table_3_and_each_other():
  assert set(paper_errors.TABLE_5) <= set(paper_errors.TABLE_4) < set(paper_errors.TABLE_3)
  for setting, errors in paper_errors.TABLE_5.items():
    assert errors['dense'] == paper_errors.TABLE_4[setting]
