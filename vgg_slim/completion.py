"""Shell completion of the commands in bash and zsh. No TensorFlow."""

from collections.abc import Iterable

SHELLS = ('bash', 'zsh')

# Flags and enum values are read from --help, once per command that is completed.
_SCRIPT = r"""# vgg_slim: flags, their values, networks and files.
_vgg_slim() {
  local word=${COMP_LINE:0:$COMP_POINT} flag= values=
  word=${word##* }
  if [[ ${_vgg_slim_command-} != "$1" ]]; then
    _vgg_slim_command=$1 _vgg_slim_help=$("$1" --help 2>/dev/null)
  fi
  if [[ $word == --*=* ]]; then
    flag=${word%%=*} word=${word#*=}
    case $flag in
      --model) values='@MODELS@' ;;
      *) values=$(awk -v flag="$flag" '
        /^  --/ { is_it = $1 == flag; is_list = 0; next }
        is_it && sub(/^ *One of: /, "      ") { is_list = 1; print; next }
        is_list && /^        / { print; next }
        { is_list = 0 }' <<<"$_vgg_slim_help" | tr ',' ' ') ;;
    esac
  elif [[ $word == -* ]]; then
    values=$(awk -v word="$word" '
      sub(/^  --\[no\]/, "") { print "--" $0 (word ~ /^--no/ ? " --no" $0 : "") " "; next }
      /^  --[a-z0-9_]+$/ { name = $1; getline; print name (/^ *Prints/ ? " " : "=") }
      ' <<<"$_vgg_slim_help")
    COMPREPLY=($(compgen -W "$values" -- "$word"))
    return
  fi
  if [[ $values ]]; then
    COMPREPLY=($(compgen -W "$values" -- "$word"))
  elif [[ ${ZSH_VERSION-} ]]; then
    setopt local_options null_glob  # its compgen -f offers every file of the folder
    COMPREPLY=("$word"*)
  else
    local IFS=$'\n'
    COMPREPLY=($(compgen -f -- "$word"))
    compopt -o filenames 2>/dev/null
  fi
  # bash replaces what follows the `=`, zsh the whole word.
  if [[ ${ZSH_VERSION-} && $flag ]]; then COMPREPLY=("${COMPREPLY[@]/#/$flag=}"); fi
}
complete -o nospace -F _vgg_slim @COMMANDS@
"""
_BEFORE = {'bash': '', 'zsh': 'autoload -U +X compinit bashcompinit && compinit && bashcompinit\n'}


def script(shell: str, commands: Iterable[str], models: Iterable[str]) -> str:
  """Returns the script that a shell evaluates to complete `commands`.

  Args:
    shell: one of SHELLS.
    commands: names of the commands as they are typed.
    models: values of --model.
  """
  filled = _SCRIPT.replace('@MODELS@', ' '.join(models)).replace('@COMMANDS@', ' '.join(commands))
  return _BEFORE[shell] + filled
