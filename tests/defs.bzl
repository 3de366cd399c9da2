"""pytest under Bazel."""

load("@rules_python//python:defs.bzl", "py_test")

def pytest_test(name, srcs, args = [], data = [], deps = [], **kwargs):
    """A py_test that runs its sources with pytest.

    Args:
      name: name of the target.
      srcs: test files, each passed to pytest.
      args: further arguments of pytest.
      data: files the tests read.
      deps: libraries the tests import.
      **kwargs: passed on to py_test.
    """
    py_test(
        name = name,
        srcs = srcs + ["//tests:pytest_main.py"],
        args = ["$(rootpath %s)" % src for src in srcs] + args,
        data = data + ["//:pyproject.toml"],
        main = "//tests:pytest_main.py",
        deps = deps + ["//tests:pytest_main"],
        **kwargs
    )
