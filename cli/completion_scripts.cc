#include "cli/completion_scripts.h"

namespace fairlead::cli {
namespace {

constexpr char kBash[] = R"sh(# fairlead completion for bash: source <(fairlead completion bash)
_fairlead() {
  local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}"
  local command="" kind="" word i names
  local commands="validate fmt schema plan sync wait status get export import describe apply start stop restart release retry cancel run build runs rollback approve history logs events login logout whoami user key audit agent secret version completion"
  local IFS=$'\n'
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="${COMP_WORDS[i]}"
    case "$word" in
      --controller|--tls-cert|--tls-key|--tls-ca|--timeout|-o|--output) ((i++)) ;;
      -*) ;;
      *) if [[ -z $command ]]; then command="$word"; elif [[ -z $kind ]]; then kind="$word"; fi ;;
    esac
  done
  case "$previous" in
    -o|--output) COMPREPLY=($(compgen -W $'table\njson' -- "$current")); return ;;
    --dialect) COMPREPLY=($(compgen -W $'toml\nkomodo' -- "$current")); return ;;
    --tls-cert|--tls-key|--tls-ca|-f|--filename) COMPREPLY=($(compgen -f -- "$current")); return ;;
    --dir) COMPREPLY=($(compgen -d -- "$current")); return ;;
  esac
  if [[ -z $command ]]; then
    COMPREPLY=($(compgen -W "${commands// /$'\n'}" -- "$current"))
    return
  fi
  case "$command" in
    validate|fmt) COMPREPLY=($(compgen -f -- "$current")) ;;
    import) COMPREPLY=($(compgen -W $'compose\ndocker' -- "$current") $(compgen -f -- "$current")) ;;
    secret) COMPREPLY=($(compgen -W $'set\nlist\nremove\nrotate' -- "$current")) ;;
    agent) COMPREPLY=($(compgen -W $'token\nlist\nrevoke\nrotate' -- "$current") $(compgen -W "$(fairlead __complete names server 2>/dev/null)" -- "$current")) ;;
    completion) COMPREPLY=($(compgen -W $'bash\nzsh\nfish' -- "$current")) ;;
    user) COMPREPLY=($(compgen -W $'list\nadd\nchange\ndisable\nenable\npassword' -- "$current")) ;;
    key) COMPREPLY=($(compgen -W $'create\nlist\nrevoke' -- "$current")) ;;
    login) COMPREPLY=($(compgen -W $'--user\n--token\n--oidc\n--no-browser\n--port' -- "$current")) ;;
    audit) COMPREPLY=($(compgen -W $'verify' -- "$current")) ;;
    plan|sync|wait|status)
      names="$(fairlead __complete names resource_sync 2>/dev/null)"
      COMPREPLY=($(compgen -W "$names" -- "$current")) ;;
    build)
      names="$(fairlead __complete names build 2>/dev/null)"
      COMPREPLY=($(compgen -W "$names" -- "$current")) ;;
    get|export|describe|start|stop|restart|release|retry|cancel|run|runs|rollback|history|logs|events)
      if [[ -n $kind ]]; then
        names="$(fairlead __complete names "$kind" 2>/dev/null)"
      elif [[ $current == */* ]]; then
        names="$(fairlead __complete names "${current%%/*}" 2>/dev/null | sed "s|^|${current%%/*}/|")"
      else
        names="$(fairlead __complete kinds 2>/dev/null | sed 's|$|/|')"
        compopt -o nospace 2>/dev/null
      fi
      COMPREPLY=($(compgen -W "$names" -- "$current")) ;;
  esac
}
complete -F _fairlead fairlead
)sh";

constexpr char kZsh[] = R"sh(#compdef fairlead
# fairlead completion for zsh: fairlead completion zsh > "${fpath[1]}/_fairlead"
_fairlead() {
  local -a commands names
  commands=(
    'validate:check files, without a controller'
    'fmt:bring files to canonical order and spelling'
    'schema:print a JSON Schema of resource files, for editors'
    'plan:show what would happen, and why'
    'sync:fetch and reconcile now'
    'wait:wait until what git says is true'
    'status:show syncs, servers and what is not well'
    'get:list resources, or print one'
    'import:write what there is already as TOML'
    'export:write what the controller holds as TOML'
    'describe:tell the story of one resource'
    'apply:declare resources by hand, outside git'
    'start:end a stop hold and any backoff, and start'
    'stop:stop, and keep stopped until released'
    'restart:restart the containers'
    'release:end a stop hold'
    'retry:try again what failed, was cancelled or put aside'
    'cancel:end the action or the run under way'
    'run:run a procedure, build or repo, or fetch and apply a sync'
    'build:build an image now'
    'runs:list runs of procedures, builds, repos and syncs'
    'rollback:go back to an earlier spec'
    'approve:let a plan start that waits for approval'
    'history:specs that were applied'
    'secret:values of secret variables'
    'logs:print the logs of a resource'
    'events:print what happened'
    'agent:let agents join, and manage their certificates'
    'login:prove who you are, for some hours'
    'logout:end the session of the last login'
    'whoami:show as whom the controller knows you'
    'user:list, add and change users'
    'key:list, make and revoke API keys'
    'audit:show who changed what, and what was refused'
    'version:print the versions of client and controller'
    'completion:print a completion script'
  )
  if (( CURRENT == 2 )); then
    _describe 'command' commands
    return
  fi
  case "${words[2]}" in
    validate|fmt|apply) _files ;;
    import) if (( CURRENT == 3 )); then _values 'source' compose docker; else _files; fi ;;
    agent)
      if (( CURRENT == 3 )); then _values 'what' token list revoke rotate; else
        names=("${(@f)$(fairlead __complete names server 2>/dev/null)}")
        compadd -a names
      fi ;;
    completion) _values 'shell' bash zsh fish ;;
    user) _values 'action' list add change disable enable password ;;
    key) _values 'action' create list revoke ;;
    login) compadd -- --user --token --oidc --no-browser --port ;;
    audit) _values 'action' verify ;;
    plan|sync|wait|status)
      names=("${(@f)$(fairlead __complete names resource_sync 2>/dev/null)}")
      compadd -a names ;;
    build)
      names=("${(@f)$(fairlead __complete names build 2>/dev/null)}")
      compadd -a names ;;
    get|export|describe|start|stop|restart|release|retry|cancel|run|runs|rollback|history|logs|events)
      if (( CURRENT > 3 )) && [[ "${words[3]}" != */* ]]; then
        names=("${(@f)$(fairlead __complete names "${words[3]}" 2>/dev/null)}")
        compadd -a names
      elif [[ "$PREFIX" == */* ]]; then
        names=("${(@f)$(fairlead __complete names "${PREFIX%%/*}" 2>/dev/null | sed "s|^|${PREFIX%%/*}/|")}")
        compadd -a names
      else
        names=("${(@f)$(fairlead __complete kinds 2>/dev/null | sed 's|$|/|')}")
        compadd -S '' -a names
      fi ;;
  esac
}
if [[ "${funcstack[1]}" == _fairlead ]]; then _fairlead "$@"; else compdef _fairlead fairlead; fi
)sh";

constexpr char kFish[] = R"sh(# fairlead completion for fish: fairlead completion fish | source
set -l commands validate fmt schema plan sync wait status get export import describe apply start stop restart release retry cancel run build runs rollback approve history logs events login logout whoami user key audit agent secret version completion
set -l of_resource get export describe start stop restart release retry cancel run runs rollback history logs events
complete -c fairlead -f
complete -c fairlead -n "not __fish_seen_subcommand_from $commands" -a "$commands"
complete -c fairlead -n "__fish_seen_subcommand_from validate fmt apply" -F
complete -c fairlead -n "__fish_seen_subcommand_from completion" -a "bash zsh fish"
complete -c fairlead -n "__fish_seen_subcommand_from agent" -a "token list revoke rotate (fairlead __complete names server 2>/dev/null)"
complete -c fairlead -n "__fish_seen_subcommand_from user" -a "list add change disable enable password"
complete -c fairlead -n "__fish_seen_subcommand_from key" -a "create list revoke"
complete -c fairlead -n "__fish_seen_subcommand_from login" -l user -x -d "Name"
complete -c fairlead -n "__fish_seen_subcommand_from login" -l oidc -d "By the OpenID provider"
complete -c fairlead -n "__fish_seen_subcommand_from login" -l no-browser -d "Paste the address"
complete -c fairlead -n "__fish_seen_subcommand_from login" -l port -x -d "Where the browser comes back to"
complete -c fairlead -n "__fish_seen_subcommand_from audit" -a "verify"
complete -c fairlead -n "__fish_seen_subcommand_from import" -F -a "compose docker"
complete -c fairlead -n "__fish_seen_subcommand_from plan sync wait status" -a "(fairlead __complete names resource_sync 2>/dev/null)"
complete -c fairlead -n "__fish_seen_subcommand_from build" -a "(fairlead __complete names build 2>/dev/null)"
function __fairlead_resources
  for kind in (fairlead __complete kinds 2>/dev/null)
    for name in (fairlead __complete names $kind 2>/dev/null)
      echo $kind/$name
    end
  end
end
complete -c fairlead -n "__fish_seen_subcommand_from $of_resource" -a "(__fairlead_resources)"
complete -c fairlead -s o -l output -x -a "table json" -d "Output"
complete -c fairlead -l controller -x -d "Controller, HOST:PORT"
complete -c fairlead -l dir -r -F -d "Working tree"
complete -c fairlead -s f -l filename -r -F -d "File"
)sh";

}  // namespace

absl::string_view CompletionScript(absl::string_view shell) {
  if (shell == "bash") return kBash;
  if (shell == "zsh") return kZsh;
  if (shell == "fish") return kFish;
  return "";
}

}  // namespace fairlead::cli
