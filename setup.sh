#!/usr/bin/env bash
# Sets the project up in .venv, then runs it:
#
#   bash setup.sh demo [OPTIONS]   the demonstration; options go to `lgssl demo`
#   bash setup.sh test [OPTIONS]   every check and test; options go to pytest
#
# Debian's packages are installed if missing and allowed. A second run takes seconds.
set -euo pipefail

# The true path: an environment remembers its own, and a link to it would look moved.
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
VENV=$ROOT/.venv
cd "$ROOT"

# What Qt and napari open under X, as FILE=PACKAGE of Debian. We look for the files:
# some of the packages bear other names in later releases.
LIBRARIES='
libEGL.so.1=libegl1 libGL.so.1=libgl1 libOpenGL.so.0=libopengl0
libX11-xcb.so.1=libx11-xcb1 libdbus-1.so.3=libdbus-1-3
libfontconfig.so.1=libfontconfig1 libglib-2.0.so.0=libglib2.0-0
libgssapi_krb5.so.2=libgssapi-krb5-2 libxcb-cursor.so.0=libxcb-cursor0
libxcb-glx.so.0=libxcb-glx0 libxcb-icccm.so.4=libxcb-icccm4
libxcb-image.so.0=libxcb-image0 libxcb-keysyms.so.1=libxcb-keysyms1
libxcb-randr.so.0=libxcb-randr0 libxcb-render-util.so.0=libxcb-render-util0
libxcb-shape.so.0=libxcb-shape0 libxcb-shm.so.0=libxcb-shm0
libxcb-sync.so.1=libxcb-sync1 libxcb-xfixes.so.0=libxcb-xfixes0
libxcb-xinerama.so.0=libxcb-xinerama0 libxcb-xkb.so.1=libxcb-xkb1
libxkbcommon-x11.so.0=libxkbcommon-x11-0'

say() { printf '%s\n' "$*" >&2; }

has_screen() { [[ $(uname) != Linux || -n ${DISPLAY:-}${WAYLAND_DISPLAY:-} ]]; }

missing_libraries() {
    local known pair
    [[ $(uname) == Linux ]] || return 0
    # Ordinary users of Debian have no /sbin on their path.
    known=$(PATH=$PATH:/sbin:/usr/sbin ldconfig -p)
    for pair in $LIBRARIES; do
        [[ $known == *"${pair%=*} "* ]] || printf '%s ' "${pair#*=}"
    done
}

# Debian's xvfb only recommends xauth, but its xvfb-run does not start without.
missing_virtual_screen() {
    command -v xvfb-run >/dev/null || printf 'xvfb '
    command -v xauth >/dev/null || printf 'xauth '
}

# Asks each candidate for its version: a name on the path may start nothing.
find_python() {
    local name
    for name in python3.11 python3 python; do
        "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
        printf '%s' "$name" && return
    done
    say "Python 3.11 or newer is needed and was not found; please install it."
    return 1
}

# Neither half made, nor made elsewhere and moved: its programs name its path.
environment_is_whole() {
    grep -qsF "$VENV/bin/python" "$VENV/bin/pip" && "$VENV/bin/python" -c ''
}

# Debian keeps the part of Python that puts pip into an environment in a package.
missing_venv() {
    local python name='import sys; print("python%d.%d-venv" % sys.version_info[:2], end=" ")'
    ! environment_is_whole || return 0
    python=$(find_python) || exit 1
    "$python" -c 'import ensurepip, venv' 2>/dev/null || "$python" -c "$name"
}

# Elsewhere than on Debian this says what is missing and goes on, for the best.
install_packages() {
    local as_root=(env)
    (($#)) || return 0
    command -v apt-get >/dev/null ||
        { say "Missing what Debian calls $*; please install it." && return; }
    [[ $(id -u) == 0 ]] || as_root=(sudo -n)
    "${as_root[@]}" true 2>/dev/null ||
        { say "Missing system packages; please run: sudo apt-get install $*" && return 1; }
    say "Installing system packages: $*"
    # The lists of packages may be absent or old, and another apt may be at work.
    "${as_root[@]}" apt-get update -qq &&
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq \
            --no-install-recommends -o DPkg::Lock::Timeout=300 "$@" </dev/null >&2
}

# PyPI's torch for Linux brings CUDA: gigabytes that a machine without an NVIDIA card never
# uses. PyTorch's own index has the same version without.
light_torch() {
    local wanted
    [[ $(uname) == Linux && ! -e /proc/driver/nvidia/version ]] || return 0
    ! command -v nvidia-smi >/dev/null || return 0
    wanted=$(grep -m1 '^torch==' constraints.txt)
    "$VENV/bin/python" -m pip install --no-input --disable-pip-version-check --no-deps \
        --retries 0 --timeout 15 --index-url https://download.pytorch.org/whl/cpu \
        "$wanted" </dev/null ||
        say "PyTorch's index cannot be reached; torch comes from PyPI, with CUDA."
}

# Installs the package with one of its extras, if what names the versions has changed.
set_up() {
    local extra=$1 state
    state=$(cat pyproject.toml constraints.txt | cksum)
    environment_is_whole || "$(find_python)" -m venv --clear "$VENV"
    [[ $(cat "$VENV/.has-$extra" 2>/dev/null) != "$state" ]] || return 0
    say "Installing Python packages into $VENV; the first time this takes minutes."
    light_torch
    # The variables, unlike -c, also reach the environment that builds the package; two,
    # since pip 25.3 reads the second. A bare name, because spaces divide the paths.
    PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt \
        "$VENV/bin/python" -m pip install --no-input --disable-pip-version-check \
        -c constraints.txt -e ".[$extra]" </dev/null
    printf '%s' "$state" >"$VENV/.has-$extra"
    # The tests' packages hold all that the application needs.
    [[ $extra != test ]] || cp "$VENV/.has-test" "$VENV/.has-all"
}

# Packages are named all at once, so that who may not install them has to ask once.
run_demo() {
    local packages
    packages=$(missing_venv)
    # Only a window needs the libraries; the picture report does without.
    ! has_screen || packages+=$(missing_libraries)
    install_packages $packages && has_screen || set -- --headless "$@"
    [[ -z $(missing_venv) ]] || exit 1
    set_up all
    exec "$VENV/bin/lgssl" demo "$@"
}

FAILED=0
check() {
    say "== $*"
    PATH=$VENV/bin:$PATH "$@" || FAILED=$((FAILED ? FAILED : $?))
}

# All checks run whatever fails; the first failure is the exit code, pytest comes last.
run_tests() {
    local packages screen=(env)
    packages=$(missing_venv)
    packages+=$(missing_libraries)
    if ! has_screen; then
        packages+=$(missing_virtual_screen)
        screen=(xvfb-run -a -s '-screen 0 1600x1000x24')
    fi
    install_packages $packages || exit 1
    set_up test
    check ruff check
    check ruff format --check
    check mypy
    check lint-imports
    ((FAILED == 0)) || say "A check above failed; the tests run all the same."
    check "${screen[@]}" python -m pytest --cov "$@"
    exit "$FAILED"
}

case ${1:-} in
demo) run_demo "${@:2}" ;;
test) run_tests "${@:2}" ;;
*) say "Usage: bash setup.sh demo|test [OPTIONS]" && exit 2 ;;
esac
