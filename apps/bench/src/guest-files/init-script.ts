/**
 * What the initramfs of `ringside guest fetch` runs: busybox's init, after the file systems are mounted and, where
 * there are virtio devices, their drivers are loaded. With `root=` on the command line it hands over to that disk.
 */

/** `/init`: the first program. */
export const initScript = `#!/bin/busybox sh
busybox=/bin/busybox
$busybox mkdir -p /proc /sys /dev /tmp /root /run /mnt /newroot /sbin /usr/bin /usr/sbin
$busybox mount -t proc proc /proc
$busybox mount -t sysfs sysfs /sys
$busybox mount -t devtmpfs devtmpfs /dev 2>/dev/null
$busybox --install -s /bin
export PATH=/bin

# Drivers cost time to load, so they are loaded where a virtio device (PCI vendor 0x1af4) is there.
for file in /sys/bus/pci/devices/*/vendor; do
  [ -e "$file" ] || continue
  read -r vendor <"$file"
  [ "$vendor" = 0x1af4 ] && virtio=yes
done
if [ -n "$virtio" ]; then
  for module in virtio_pci virtio_blk virtio_net virtio_console virtio-rng virtiofs ext4; do
    modprobe -q "$module" 2>/dev/null
  done
fi

for word in $(cat /proc/cmdline); do
  case "$word" in
    root=*) root=\${word#root=} ;;
    rootfstype=*) type="-t \${word#rootfstype=}" ;;
    rw) mode=rw ;;
    init=*) init=\${word#init=} ;;
  esac
done
if [ -n "$root" ]; then
  if mount $type -o "\${mode:-ro}" "$root" /newroot; then
    umount /proc
    umount /sys
    mount --move /dev /newroot/dev
    exec switch_root /newroot "\${init:-/sbin/init}"
  fi
  echo "init: $root cannot be mounted; here is a shell instead."
fi
[ -n "$virtio" ] && mount -t virtiofs share /mnt 2>/dev/null
if [ -e /sys/class/net/eth0 ]; then
  ip link set lo up
  ip link set eth0 up
  udhcpc -q -n -t 3 -T 1 -i eth0 -s /etc/udhcpc.script >/dev/null 2>&1
fi
# The shell is on the console that the kernel uses: a serial port, or a hypervisor's.
read -r consoles </sys/class/tty/console/active
sed -i "s/^ttyS0:/\${consoles##* }:/" /etc/inittab
exec /bin/init
`;

/** `/etc/inittab` of busybox's init: a shell on the serial line, and an orderly end. */
export const inittab = `::sysinit:/bin/hostname ringside
ttyS0::respawn:-/bin/sh
::ctrlaltdel:/bin/reboot
::shutdown:/bin/umount -a -r
`;

/** `/etc/udhcpc.script`: what busybox's DHCP client calls with what it was given. */
export const dhcpScript = `#!/bin/sh
[ "$1" = bound ] || [ "$1" = renew ] || exit 0
ip addr flush dev "$interface"
ip addr add "$ip/\${mask:-24}" dev "$interface"
[ -n "$router" ] && ip route add default via "\${router%% *}" dev "$interface"
for server in $dns; do echo "nameserver $server"; done >/etc/resolv.conf
`;
