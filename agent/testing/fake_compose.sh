#!/bin/sh
# Stands in for docker-compose 1. FAKE_COMPOSE_DIR holds config.yaml (what `config` prints), hashes
# (what `config --hash=*` prints),
# calls (one line for each call, options before the command left out) and, to make a command fail,
# a file COMMAND.fails with its standard error. Profiles go to the file profiles, DOCKER_CONFIG of a
# call to docker-config, and SECRET_WORD to word.
while [ $# -gt 0 ]; do
  case "$1" in
    --version) echo "docker-compose version 1.29.2"; exit 0 ;;
    --ansi | --project-name | --project-directory | --file | --env-file) shift 2 ;;
    --profile) echo "profile $2" >>"$FAKE_COMPOSE_DIR/profiles"; shift 2 ;;
    *) break ;;
  esac
done
echo "$*" >>"$FAKE_COMPOSE_DIR/calls"
if [ -n "$DOCKER_CONFIG" ]; then cat "$DOCKER_CONFIG/config.json" >"$FAKE_COMPOSE_DIR/docker-config"; fi
if [ -n "$SECRET_WORD" ]; then echo "$1 $SECRET_WORD" >>"$FAKE_COMPOSE_DIR/word"; fi
if [ -e "$FAKE_COMPOSE_DIR/$1.fails" ]; then
  cat "$FAKE_COMPOSE_DIR/$1.fails" >&2
  exit 1
fi
if [ -e "$FAKE_COMPOSE_DIR/$1.hangs" ]; then
  exec sleep 60
fi
if [ "$1 $2" = "config --hash=*" ]; then
  cat "$FAKE_COMPOSE_DIR/hashes"
elif [ "$1" = config ]; then
  cat "$FAKE_COMPOSE_DIR/config.yaml"
fi
