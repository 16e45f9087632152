#!/bin/bash
# Stops what run.sh started: Forebay first, so that it drains what it can, then the cluster.
set -euo pipefail
cd "$(dirname "$0")/../.."

if [ -s .forebay/forebay.pid ]; then
    pid=$(cat .forebay/forebay.pid)
    if kill -TERM "$pid" 2>/dev/null; then
        for _ in $(seq 300); do
            kill -0 "$pid" 2>/dev/null || break
            sleep 0.1
        done
        if kill -0 "$pid" 2>/dev/null; then
            echo "Forebay (process $pid) did not stop within 30 s" >&2
            exit 1
        fi
        echo "Forebay stopped"
    fi
    rm -f .forebay/forebay.pid
fi
if [ -x .build/release/local-cluster ]; then
    .build/release/local-cluster down --directory .forebay
fi
