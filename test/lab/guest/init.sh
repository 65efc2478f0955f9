#!/bin/busybox sh
# The first process of a lab guest: loads drivers, then answers commands on the second serial port.
# What differs between guests comes on the kernel command line:
#   lab_skip=MODULE,...  drivers that are not loaded     lab_refuse=1  refuses to give memory up
#   lab_pin=1            pins a page in every module     lab_terminal=1  a shell for people on the third serial port

/bin/busybox mkdir -p /sbin /usr/bin /usr/sbin /proc /sys /dev /tmp
/bin/busybox --install -s
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t debugfs debugfs /sys/kernel/debug
mount -t tmpfs -o size=90% tmpfs /tmp
exec </dev/null >/dev/console 2>&1

for argument in $(cat /proc/cmdline); do
  case $argument in lab_*=*) eval "${argument%%=*}='${argument#*=}'" ;; esac
done

# Which driver needs which differs between kernels: whatever fails for want of another is tried again.
for pass in 1 2 3 last; do
  missing=
  for module in $(cat /modules/list); do
    case ",$lab_skip,$loaded," in *",$module,"*) continue ;; esac
    if insmod "/modules/$module.ko" 2>/dev/null; then
      loaded=$loaded,$module
    else
      missing=1
      [ $pass != last ] || echo "lab: $module did not load"
    fi
  done
  [ -n "$missing" ] || break
done

if [ -n "$lab_refuse" ]; then echo -12 >/sys/kernel/debug/notifier-error-inject/memory/actions/MEM_GOING_OFFLINE/error; fi
if [ -n "$lab_pin" ]; then labtool pin & echo $! >/tmp/pin.pid; fi

if [ -n "$lab_terminal" ]; then
  (while :; do PS1='guest # ' setsid sh -c 'exec sh -i </dev/ttyS2 >/dev/ttyS2 2>&1'; sleep 1; done) &
fi

# One command at a time: "ID SECONDS COMMAND" in, its output and "##END ID CODE" out. The command is written as printf
# reads it (%b); no SECONDS, written 0: it can't take long. Under software emulation each process costs milliseconds of a
# processor, and tests ask thousands of times: so what the shell itself can do, it does.
serve() {
  # The guest may run out of memory; the one who tells about it must survive.
  echo -1000 >/proc/self/oom_score_adj
  stty -F /dev/ttyS1 raw -echo
  exec 3<>/dev/ttyS1
  # Until somebody has spoken nobody may have been listening. Told by a process of its own: a `read -t` that gives up
  # between two bytes of a line loses the line.
  (while :; do printf '\n##READY %s\n' "$(cat /proc/sys/kernel/random/boot_id)"; sleep 1; done) >&3 &
  teller=$!
  read -r id seconds command <&3
  spoken=$?
  kill $teller
  wait $teller
  [ $spoken = 0 ] || return
  while :; do
    case $id in
      '' | *[!0-9]*) ;;
      *)
        printf %b "$command" >/tmp/.command
        (
          echo 0 >/proc/self/oom_score_adj
          [ "$seconds" = 0 ] || exec timeout -s KILL "$seconds" sh /tmp/.command
          . /tmp/.command
        ) </dev/null >&3 2>&1
        printf '\n##END %s %s\n' "$id" "$?" >&3
        ;;
    esac
    read -r id seconds command <&3 || return
  done
}

while :; do
  serve &
  wait $!
done
