#!/bin/sh
# Fuzzes one target for some seconds: run.sh TARGET SECONDS. Needs the nightly toolchain with its sanitizers. What was found lies in
# fuzz/found/TARGET, and new inputs below target/fuzz; the corpus in the repository stays as it is.
set -eu
cd "$(dirname "$0")"
target=$1 seconds=$2
case $target in
    ipc_messages | json_document | sql_text) features=server ;;
    *) features= ;;
esac
cp ../Cargo.lock Cargo.lock
mkdir -p "found/$target" "../target/fuzz/$target"
coverage='-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters'
coverage="$coverage -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares"
RUSTFLAGS="$coverage -Zsanitizer=address -Cdebug-assertions --cfg fuzzing" \
    cargo +nightly run --release --target x86_64-unknown-linux-gnu --target-dir ../target/fuzz/build --features "$features" --bin "$target" -- \
    "../target/fuzz/$target" "corpus/$target" -max_total_time="$seconds" -max_len=16384 -timeout=20 -rss_limit_mb=4096 \
    -artifact_prefix="found/$target/"
