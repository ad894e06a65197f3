# shellcheck shell=bash
# The images of the lab: a base layer with Python below the stand-ins (of Quay, one for each version, and of Clair), and
# one with PostgreSQL and Redis below the images that have their names. What lies on a base is thin.
# Times in the layers are fixed, so the same packages give the same digests.

IMAGE=registry.redhat.io/quay/quay-rhel8
OLD=v3.7.0
NEW=v3.8.0
IMAGE_PACKAGES=python3,python3-psycopg2,python3-yaml,dash,coreutils,procps,base-files,base-passwd,libc-bin

images_rootfs() {
  local tree=$LAB/image/rootfs stamp
  stamp=$(digest_of machine_tree images_rootfs images_compile <<<"$SUITE $IMAGE_PACKAGES")
  [[ $(cat "$tree.stamp" 2>/dev/null) != "$stamp" ]] || return 0
  say "building the base of the images"
  mkdir -p "$LAB/image"
  rm -f "$tree.stamp"
  remove_tree "$tree"
  # Files only: no package scripts run, nothing but what Python and a shell need.
  machine_tree "$tree" --variant=extract --include="$IMAGE_PACKAGES" \
    --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr \
    --dpkgopt='path-exclude=/usr/share/*' --dpkgopt='path-include=/usr/share/python3/*' --dpkgopt='path-include=/usr/share/base-passwd/*'
  rm -rf "${tree:?}"/{dev,proc,sys,run}/* "$tree"/var/{lib/apt,lib/dpkg,cache,log} "$tree/etc/apt"
  [[ -e $tree/bin/sh ]] || ln -s dash "$tree/bin/sh"
  [[ -e $tree/usr/bin/python3 ]] || ln -s python3.11 "$tree/usr/bin/python3"
  printf 'root:x:0:0:root:/root:/bin/sh\nquay:x:1001:0:quay:/quay-registry:/bin/sh\n' >"$tree/etc/passwd"
  printf 'root:x:0:\n' >"$tree/etc/group"
  mkdir -p "$tree"/{conf/stack,datastorage,quay-registry,var/log,tmp}
  chmod 1777 "$tree/tmp"
  find "$tree" -name '*.pyc' -delete
  images_compile "$tree"
  printf '%s\n' "$stamp" >"$tree.stamp"
}

# What the stand-ins load of Python is compiled once, and not by every process. Files in an image have no times that could tell
# whether that is still right; it is, since nothing in an image changes.
images_compile() {
  chroot "$1" /usr/bin/env -i PATH=/usr/bin PYTHONHASHSEED=0 python3 -B - <<'PYTHON'
import sys
import argparse, ast, base64, contextlib, dataclasses, datetime, email.parser, hashlib, hmac, http.client, http.server, json, py_compile, secrets, shutil, ssl
import psycopg2, psycopg2.errors, psycopg2.extensions, socketserver, tarfile, tempfile, traceback, urllib.request, uuid, yaml
for module in list(sys.modules.values()):
    file = getattr(module, "__file__", None)
    if file and file.endswith(".py"):
        py_compile.compile(file, doraise=True, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
PYTHON
}

# Where an image of a lab of several sites comes from: its name, its version, its base.
SITE_IMAGES=(
  'registry.redhat.io/rhel8/postgresql-13 1-109 lab-services'
  'registry.redhat.io/rhel8/redis-6 latest lab-services'
  'registry.redhat.io/quay/clair-rhel8 v3.12.0 lab-base'
)
SERVICE_PACKAGES=postgresql-15,redis-server,bash,dash,coreutils,sed,grep,mawk,findutils,procps,hostname,base-files,base-passwd,libc-bin,tzdata

# The tree below PostgreSQL and Redis: files only, without what they never load (JIT, Perl, character sets of other systems).
images_services_rootfs() {
  local tree=$LAB/image/services stamp name
  stamp=$(digest_of machine_tree images_services_rootfs <<<"$SUITE $SERVICE_PACKAGES")
  [[ $(cat "$tree.stamp" 2>/dev/null) != "$stamp" ]] || return 0
  mkdir -p "$LAB/image"
  rm -f "$tree.stamp"
  remove_tree "$tree"
  if [[ $LAB != "$FIRST" && $(cat "$FIRST/image/services.stamp" 2>/dev/null) == "$stamp" ]]; then
    cp -a --reflink=auto "$FIRST/image/services" "$tree"
  else
    say "building the base of PostgreSQL and Redis"
    machine_tree "$tree" --variant=extract --include="$SERVICE_PACKAGES" --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr \
      --dpkgopt='path-exclude=/usr/share/*' --dpkgopt='path-include=/usr/share/postgresql/*' --dpkgopt='path-include=/usr/share/zoneinfo/*' \
      --dpkgopt='path-exclude=/usr/share/zoneinfo/right/*' --dpkgopt='path-include=/usr/share/base-passwd/*' \
      --dpkgopt='path-exclude=/usr/lib/*/perl*' --dpkgopt='path-exclude=/usr/lib/*/gconv/*' --dpkgopt='path-exclude=*/bitcode/*' \
      --dpkgopt='path-exclude=*/llvmjit*' --dpkgopt='path-exclude=/usr/lib/*/libLLVM*' --dpkgopt='path-exclude=/usr/lib/*/libz3*'
    rm -rf "${tree:?}"/{dev,proc,sys,run}/* "$tree"/var/{lib/apt,lib/dpkg,lib/redis,lib/postgresql,cache,log,run} "$tree/etc/apt"
    [[ -e $tree/bin/sh ]] || ln -s dash "$tree/bin/sh"
    [[ -e $tree/usr/bin/awk ]] || ln -s mawk "$tree/usr/bin/awk"
    # On the path, as the real image has them.
    for name in "$tree"/usr/lib/postgresql/15/bin/*; do ln -sfn "../lib/postgresql/15/bin/${name##*/}" "$tree/usr/bin/${name##*/}"; done
    printf 'root:x:0:0:root:/root:/bin/bash\npostgres:x:26:26:PostgreSQL Server:/var/lib/pgsql:/bin/bash\nredis:x:1001:0:Redis Server:/var/lib/redis:/bin/bash\n' >"$tree/etc/passwd"
    printf 'root:x:0:\npostgres:x:26:\n' >"$tree/etc/group"
    mkdir -p "$tree/var/log" "$tree/tmp" "$tree/run"
    ln -sfn /run "$tree/var/run"
    install -d -m 0770 -o 26 -g 0 "$tree"/var/lib/pgsql{,/data} "$tree/run/postgresql"
    install -d -m 0770 -o 1001 -g 0 "$tree"/var/lib/redis{,/data}
    chmod 1777 "$tree/tmp"
  fi
  printf '%s\n' "$stamp" >"$tree.stamp"
}

buildah_here() { buildah --root "$LAB/image/storage" --runroot "$LAB/image/run" --storage-driver vfs "$@" 9>&-; }

# images_base NAME TREE LOG: an image of that tree, unless there is one.
images_base() {
  local name=$1 tree=$LAB/image/$2 log=$3 context=$LAB/image/context.$1
  if buildah_here inspect --type image "localhost/$name" >/dev/null 2>&1 && [[ $(cat "$LAB/image/$name.stamp" 2>/dev/null) == "$(cat "$tree.stamp")" ]]; then return 0; fi
  mkdir -p "$context"
  tar -C "$tree" --sort=name --mtime=@0 --numeric-owner -cf "$context/rootfs.tar" .
  printf 'FROM scratch\nADD rootfs.tar /\n' >"$context/Containerfile"
  buildah_here bud --isolation chroot --timestamp 0 -t "localhost/$name" "$context" >>"$log" 2>&1 || die "$name was not built: $(tail -n 3 "$log")"
  cp "$tree.stamp" "$LAB/image/$name.stamp"
  rm -rf -- "$context"
}

images_stamp() { find "$HERE/quay" -type f ! -name '*.pyc' -print0 | sort -z | xargs -0 cat | cat - "$LAB/image/rootfs.stamp" | digest_of images_build image_build images_base; }

images_build() {
  local stamp version dir=$LAB/image
  stamp=$(images_stamp)
  [[ $(cat "$dir/oci.stamp" 2>/dev/null) != "$stamp" ]] || return 0
  say "building the images"
  rm -rf -- "$dir/oci" "$dir/oci.stamp"
  : >"$dir/build.log"
  images_base lab-base rootfs "$dir/build.log"
  for version in "$OLD" "$NEW"; do image_build quay "$version" lab-base "$HERE/quay" "$dir/oci:$version" "$dir/build.log"; done
  printf '%s\n' "$stamp" >"$dir/oci.stamp"
}

# image_build NAME VERSION BASE SOURCE OUT LOG: OUT is an OCI layout and the name in it, parted by a colon.
image_build() {
  local name=$1 version=$2 base=$3 source=$4 out=$5 log=$6 context=$LAB/image/context.$1
  rm -rf -- "$context"
  cp -r "$source" "$context"
  find "$context" -name __pycache__ -prune -exec rm -rf {} +
  printf '%s\n' "$version" >"$context/VERSION"
  buildah_here bud --isolation chroot --timestamp 0 --build-arg "BASE=localhost/$base" --build-arg "VERSION=$version" -t "localhost/$name:$version" "$context" >>"$log" 2>&1 ||
    die "$name:$version was not built: $(tail -n 3 "$log")"
  buildah_here push "localhost/$name:$version" "oci:$out" >>"$log" 2>&1 || die "$name:$version was not written: $(tail -n 3 "$log")"
  rm -rf -- "$context"
}

images_push() {
  local version
  for version in "$OLD" "$NEW"; do image_push "$IMAGE" "$version" "$LAB/image/oci:$version"; done
}

# image_push NAME VERSION FROM: from an OCI layout, with the name in it after a colon, into the registry, unless it is there.
image_push() {
  local name=$1 version=$2 from=$3 digest
  digest=$(images_digest "${from##*:}" "${from%:*}")
  [[ $(registry_digest "$version" "$name") == "$digest" ]] ||
    skopeo copy --quiet --preserve-digests --dest-tls-verify=false "oci:$from" "docker://$(registry_address)/${name#*/}:$version" 9>&- ||
    die "$name:$version could not be pushed"
  [[ $(registry_digest "$version" "$name") == "$digest" ]] || die "the registry gives another digest for $name:$version than $digest"
}

# images_digest NAME [DIRECTORY]: by its name in the OCI layout (of the stand-in's images: the version), the digest of the manifest, as a pull by digest names it.
images_digest() {
  local dir=${2:-$LAB/image/oci}
  [[ -e $dir/index.json ]] || return 0
  tr -d ' \n' <"$dir/index.json" | grep -o "\"digest\":\"sha256:[0-9a-f]*\",\"size\":[0-9]*,\"annotations\":{\"org.opencontainers.image.ref.name\":\"$1\"" | grep -o 'sha256:[0-9a-f]*'
}

# The images of a lab of several sites, which the four hosts do without. The one of Clair lies on the base of Quay's.
images_site_build() {
  local stamp entry name version base dir=$LAB/image
  images_rootfs
  images_services_rootfs
  stamp=$(images_site_stamp)
  [[ $(cat "$dir/site.stamp" 2>/dev/null) != "$stamp" ]] || return 0
  rm -rf -- "$dir/site" "$dir/site.stamp"
  if [[ $LAB != "$FIRST" && $(cat "$FIRST/image/site.stamp" 2>/dev/null) == "$stamp" ]]; then
    cp -a --reflink=auto "$FIRST/image/site" "$dir/site"
  else
    say "building the images of PostgreSQL, Redis and Clair"
    mkdir -p "$dir/site"
    : >"$dir/site.log"
    images_base lab-base rootfs "$dir/site.log"
    images_base lab-services services "$dir/site.log"
    for entry in "${SITE_IMAGES[@]}"; do
      read -r name version base <<<"$entry"
      image_build "${name##*/}" "$version" "$base" "$HERE/images/${name##*/}" "$dir/site:${name##*/}/$version" "$dir/site.log"
    done
  fi
  printf '%s\n' "$stamp" >"$dir/site.stamp"
}

images_site_stamp() {
  { find "$HERE/images" -type f ! -name '*.pyc' -print0 | sort -z | xargs -0 cat; cat "$LAB/image/rootfs.stamp" "$LAB/image/services.stamp"; echo "${SITE_IMAGES[@]}"; } |
    digest_of images_site_build image_build images_base
}

images_site_push() {
  local entry name version base
  for entry in "${SITE_IMAGES[@]}"; do
    # shellcheck disable=SC2034 # where it was built from does not matter here
    read -r name version base <<<"$entry"
    image_push "$name" "$version" "$LAB/image/site:${name##*/}/$version"
  done
}
