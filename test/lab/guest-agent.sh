#!/bin/busybox sh
# See guest-agent.ts: one that says of every block that it is offline.
for port in /dev/vport*p1; do :; done
exec 5<>"$port"
memory=/sys/devices/system/memory
while :; do
  read -r line <&5 || { sleep 0.2; continue; }
  id=${line##*\"id\":}
  case $line in
    *guest-sync-delimited*) printf '\377{"return": %s}\n' "${id%%\}*}" >&5 ;;
    *guest-sync*) printf '{"return": %s}\n' "${id%%\}*}" >&5 ;;
    *guest-get-memory-block-info*) read -r size <"$memory/block_size_bytes"
      printf '{"return": {"size": %d}}\n' "0x$size" >&5 ;;
    *guest-get-memory-blocks*) all=
      for block in "$memory"/memory[0-9]*; do
        all="$all, {\"phys-index\": ${block##*memory}, \"online\": false, \"can-offline\": true}"
      done
      printf '{"return": [%s]}\n' "${all#, }" >&5 ;;
    *) printf '{"error": {"class": "CommandNotFound", "desc": "not here"}}\n' >&5 ;;
  esac
done
