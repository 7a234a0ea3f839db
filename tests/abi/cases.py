"""One library in two builds, and programs that use it: each case is about one rule of the loader.

A recipe is shell, and `so OUT CODE SONAME FLAGS…`, `prog OUT CODE FLAGS…` and `map NAME TEXT` (a version script) are
its words. $A and $B are the two builds, $C the consumer, $D the other packages. What is true of a case is not
written down: it is run.
"""

from dataclasses import dataclass

PRELUDE = r"""
set -eu
so() {
  out="$1" code="$2" soname="$3"; shift 3; mkdir -p "$(dirname "$out")"; printf '%s\n' "$code" > "$T/code.c"
  gcc -w -O0 -fno-builtin -shared -fPIC -Wl,--no-as-needed ${soname:+-Wl,-soname,$soname} -o "$out" "$T/code.c" "$@"
}
prog() {
  out="$1" code="$2"; shift 2; mkdir -p "$(dirname "$out")"; printf '%s\n' "$code" > "$T/code.c"
  gcc -w -O0 -fno-builtin -Wl,--no-as-needed -Wl,--allow-shlib-undefined -o "$out" "$T/code.c" "$@"
}
map() { printf '%s\n' "$2" > "$T/$1"; }
patch() { python3 -c "
import sys
with open(sys.argv[1], 'r+b') as file:
    file.seek(int(sys.argv[2])); file.write(bytes.fromhex(sys.argv[3]))" "$@"; }
x() { so "$1/lib/libx.so.1" "$2" libx.so.1 ${3:-}; }
ONE='int x_one(void) { return 1; }'
BOTH="$ONE int x_two(void) { return 2; }"
USE='int x_one(void), x_two(void); int main(int c, char **v) { return c > 9 ? x_two() : x_one() != 1; }'
OPEN='#include <dlfcn.h>
#include <stdio.h>
int main(void) {
  void *h = dlopen(FILE_NAME, RTLD_NOW); int (*f)(void);
  if (!h || !(f = (int (*)(void))dlsym(h, NAME))) { puts(dlerror()); return 9; }
  return f() != 1;
}'
LX="-L$A/lib -l:libx.so.1"
"""


@dataclass(frozen=True)
class Case:
    """`is_moved`: files name the prefix, and are rewritten; else LD_LIBRARY_PATH leads to it."""

    recipe: str
    is_moved: bool = False
    run: tuple[str, ...] = ("bin/prog",)
    is_unknown: bool = False


_X_AND_USE = 'x $A "$BOTH"; prog $C/bin/prog "$USE" $LX;'
_NEW = 'so $D/new/lib/libnew.so.1 "int n(void) { return 1; }" libnew.so.1; NEW="-L$D/new/lib -l:libnew.so.1";'
_X_OF_NEW = 'x $B "int n(void); int x_one(void) { return n(); } int x_two(void) { return 2; }" "$NEW";'
# Linked while it has no soname, the program needs the path; the other library needs the name.
_BY_PATH_AND_NAME = """
x $A "$BOTH"; so $D/m/lib/libm1.so.1 "int x_two(void); int m(void) { return x_two(); }" libm1.so.1 $LX
rm $A/lib/libx.so.1; so $A/lib/libx.so "$BOTH" ""
prog $C/bin/prog "$USE" $A/lib/libx.so $D/m/lib/libm1.so.1 -Wl,-rpath,$D/m/lib
so $A/lib/libx.so "$BOTH" libx.so.1
"""

CASES = {
    # Files
    "linker script in its place": Case(_X_AND_USE + 'echo "INPUT(libz.so)" > $B/lib/libx.so.1'),
    "empty file in its place": Case(_X_AND_USE + ": > $B/lib/libx.so.1"),
    "object file in its place": Case(_X_AND_USE + 'printf "int x_one;" | gcc -x c -c - -o $B/lib/libx.so.1'),
    "program in its place": Case(_X_AND_USE + 'prog $B/lib/libx.so.1 "$BOTH int main(void) { return 0; }" -rdynamic'),
    "dangling link in its place": Case(_X_AND_USE + "ln -s libx.so.1.9 $B/lib/libx.so.1"),
    "directory in its place": Case(_X_AND_USE + "mkdir $B/lib/libx.so.1"),
    "link to a longer name": Case(
        _X_AND_USE + 'so $B/lib/libx.so.1.9 "$BOTH" libx.so.1; ln -s libx.so.1.9 $B/lib/libx.so.1'
    ),
    "right soname in another file": Case(_X_AND_USE + 'so $B/lib/libx-2.so "$BOTH" libx.so.1'),
    "another machine": Case(_X_AND_USE + 'x $B "$BOTH"; patch $B/lib/libx.so.1 18 b700'),
    "another machine is passed over": Case(
        _X_AND_USE + 'x $B "$BOTH"; patch $B/lib/libx.so.1 18 b700; so $D/x/lib/libx.so.1 "$BOTH" libx.so.1'
    ),
    "another class": Case(_X_AND_USE + 'x $B "$BOTH"; patch $B/lib/libx.so.1 4 01'),
    "another byte order": Case(_X_AND_USE + 'x $B "$BOTH"; patch $B/lib/libx.so.1 5 02'),
    "lib64": Case(_X_AND_USE + 'so $B/lib64/libx.so.1 "$BOTH" libx.so.1'),
    "needed by path": Case(
        'so $A/lib/libx.so "$BOTH" ""; so $B/lib/libx.so "$ONE" ""; prog $C/bin/prog "$USE" $A/lib/libx.so',
        is_moved=True,
    ),
    "needed by a path that is gone": Case(
        'so $A/lib/libx.so "$BOTH" ""; x $B "$BOTH"; prog $C/bin/prog "$USE" $A/lib/libx.so', is_moved=True
    ),
    "RPATH serves the library's own needs": Case(
        _NEW + 'x $A "$BOTH"; prog $C/bin/prog "$USE" $LX -Wl,--disable-new-dtags,-rpath,$A/lib:$D/new/lib;'
        + _X_OF_NEW, is_moved=True,
    ),
    "RUNPATH does not": Case(
        _NEW + 'x $A "$BOTH"; prog $C/bin/prog "$USE" $LX -Wl,--enable-new-dtags,-rpath,$A/lib:$D/new/lib;'
        + _X_OF_NEW, is_moved=True,
    ),
    "RUNPATH of its own": Case(
        _NEW + 'x $A "$BOTH"; prog $C/bin/prog "$USE" $LX -Wl,--enable-new-dtags,-rpath,$A/lib;'
        'NEW="$NEW -Wl,-rpath,$D/new/lib";' + _X_OF_NEW, is_moved=True,
    ),
    "RUNPATH switches inherited RPATH off": Case(
        _NEW + 'x $A "$BOTH"; prog $C/bin/prog "$USE" $LX -Wl,--disable-new-dtags,-rpath,$A/lib:$D/new/lib;'
        'NEW="$NEW -Wl,--enable-new-dtags,-rpath,/nowhere";' + _X_OF_NEW, is_moved=True,
    ),
    "lib64 by RPATH": Case(
        'x $A "$BOTH"; prog $C/bin/prog "$USE" $LX -Wl,-rpath,$A/lib; so $B/lib64/libx.so.1 "$BOTH" libx.so.1',
        is_moved=True,
    ),
    "$ORIGIN": Case(
        'x $A "$BOTH"; x $B "$ONE"; so $C/lib/libmid.so.1 "int x_two(void); int m(void) { return x_two() != 2; }"'
        ' libmid.so.1 $LX -Wl,-rpath,$A/lib; prog $C/bin/prog "int m(void); int main(void) { return m(); }"'
        " -L$C/lib -l:libmid.so.1 -Wl,-rpath,'$ORIGIN/../lib'", is_moved=True,
    ),
    "$LIB": Case(
        'LIB=lib/x86_64-linux-gnu; so $A/$LIB/libx.so.1 "$BOTH" libx.so.1; so $B/$LIB/libx.so.1 "$ONE" libx.so.1;'
        " prog $C/bin/prog \"$USE\" -L$A/$LIB -l:libx.so.1 -Wl,-rpath,$A/'$LIB'", is_moved=True,
    ),
    "a loaded soname serves a name": Case(_BY_PATH_AND_NAME + 'so $B/lib/libx.so "$BOTH" libx.so.1', is_moved=True),
    "a loaded soname that changes": Case(_BY_PATH_AND_NAME + 'so $B/lib/libx.so "$BOTH" libx.so.2', is_moved=True),
    "system directories are switched off": Case(
        _X_AND_USE + 'x $B "double cos(double); double c = 1; $ONE int x_two(void) { return cos(c); }"'
        ' "-Wl,-z,nodefaultlib,-lm"'
    ),
    # The system's libraries
    "version that the system lacks": Case(
        _X_AND_USE + 'map n "GLIBC_9.9 { global: future; };"; so $T/libc.so.6 "int future(void) { return 1; }" libc.so.6'
        ' -Wl,--version-script,$T/n; x $B "int future(void); int x_one(void) { return future(); } int x_two(void) { return 2; }"'
        ' "-L$T -l:libc.so.6"'
    ),
    "library of the system that it needs now": Case(
        _X_AND_USE + 'x $B "double cos(double); double c = 1; $ONE int x_two(void) { return cos(c); }" -lm'
    ),
    "library that nobody has": Case(
        _X_AND_USE + 'so $T/libnowhere.so.1 "int n(void) { return 1; }" libnowhere.so.1;'
        ' x $B "int n(void); int x_one(void) { return n(); } int x_two(void) { return 2; }" "-L$T -l:libnowhere.so.1"'
    ),
    # The scope
    "two major versions": Case(
        'x $A "$BOTH"; x $B "$BOTH"; so $D/old/lib/libx.so.2 "int y(void) { return 1; }" libx.so.2;'
        ' prog $C/bin/prog "int y(void), x_one(void); int main(void) { return y() != x_one(); }" $LX'
        " -L$D/old/lib -l:libx.so.2"
    ),
    "beside it, and needed by nobody": Case(
        _X_AND_USE + 'x $B "$ONE"; so $B/lib/libxcore.so.1 "int x_two(void) { return 2; }" libxcore.so.1'
    ),
    "underlinked library": Case(
        'x $A "$BOTH"; x $B "$ONE"; so $D/u/lib/libu.so.1 "int x_two(void); int u(void) { return x_two() != 2; }"'
        ' libu.so.1; prog $C/bin/prog "int u(void); int main(void) { return u(); }" -L$D/u/lib -l:libu.so.1 $LX'
    ),
    "underlinked library that is served": Case(
        'x $A "$BOTH"; x $B "$BOTH"; so $D/u/lib/libu.so.1 "int x_two(void); int u(void) { return x_two() != 2; }"'
        ' libu.so.1; prog $C/bin/prog "int u(void); int main(void) { return u(); }" -L$D/u/lib -l:libu.so.1 $LX'
    ),
    "program that serves its library": Case(
        'x $A "$BOTH"; x $B "int cb(void); int x_one(void) { return cb(); }";'
        ' prog $C/bin/prog "int x_one(void); int cb(void) { return 1; } int main(void) { return x_one() != 1; }"'
        " -rdynamic $LX"
    ),
    "program that keeps it to itself": Case(
        'x $A "$BOTH"; x $B "int cb(void); int x_one(void) { return cb(); }";'
        ' prog $C/bin/prog "int x_one(void); int cb(void) { return 1; } int main(void) { return x_one() != 1; }" $LX'
    ),
    "another library defines it": Case(
        'x $A "$BOTH"; x $B "$ONE"; so $D/o/lib/libo.so.1 "int x_two(void) { return 2; }" libo.so.1;'
        ' prog $C/bin/prog "$USE" $LX -L$D/o/lib -l:libo.so.1'
    ),
    "filter": Case(
        _X_AND_USE + 'so $B/lib/libxcore.so.1 "$BOTH" libxcore.so.1; x $B "$ONE" "-Wl,-F,libxcore.so.1"'
    ),
    "filter for nothing": Case(_X_AND_USE + 'x $B "$BOTH" "-Wl,-F,libxcore.so.1"'),
    "auxiliary filter for nothing": Case(_X_AND_USE + 'x $B "$BOTH" "-Wl,-f,libxcore.so.1"'),
    "auxiliary filter": Case(
        _X_AND_USE + 'so $B/lib/libxcore.so.1 "$BOTH" libxcore.so.1; x $B "$ONE" "-Wl,-f,libxcore.so.1"'
    ),
    "plugin": Case(
        'x $A "$BOTH"; x $B "$ONE"; so $C/lib/plugins/p.so "int x_two(void); int f(void) { return x_two() - 1; }"'
        ' "" $LX; prog $C/bin/prog "$OPEN" "-DFILE_NAME=\\"$C/lib/plugins/p.so\\"" -DNAME=\\"f\\"',
    ),
    "plugin that its host serves": Case(
        'x $A "$BOTH"; x $B "$ONE"; so $C/lib/plugins/p.so "int x_two(void); int f(void) { return x_two() - 1; }" "";'
        ' prog $C/bin/prog "$OPEN" "-DFILE_NAME=\\"$C/lib/plugins/p.so\\"" -DNAME=\\"f\\" $LX',
    ),
    "plugin that its host serves as before": Case(
        'x $A "$BOTH"; x $B "int x_two(void) { return 2; }"; so $C/lib/plugins/p.so'
        ' "int x_two(void), host(void); int f(void) { return x_two() - host(); }" "";'
        ' prog $C/bin/prog "$OPEN int host(void) { return 1; }" -rdynamic'
        ' "-DFILE_NAME=\\"$C/lib/plugins/p.so\\"" -DNAME=\\"f\\" $LX',
    ),
    "opened by name": Case(
        'x $A "$BOTH"; x $B "int x_two(void) { return 2; }"; prog $C/bin/prog "$OPEN" -DFILE_NAME=\\"libx.so.1\\"'
        ' -DNAME=\\"x_one\\"', is_unknown=True,
    ),
    "opened by name, and needed": Case(
        'x $A "$BOTH"; x $B "$BOTH int more;"; prog $C/bin/prog "$OPEN" -DFILE_NAME=\\"libx.so.1\\" -DNAME=\\"x_one\\" $LX'
    ),
    "program without it": Case(
        'x $A "$BOTH"; x $B "$ONE"; prog $C/bin/prog "int main(void) { return 0; }"'
    ),
    "static program": Case(
        'x $A "$BOTH"; x $B "$ONE"; prog $C/bin/prog "$BOTH int main(void) { return 0; }" -static'
    ),
    "two programs": Case(
        'x $A "$BOTH"; x $B "$ONE"; prog $C/bin/other "$USE" $LX; prog $C/bin/prog "int x_one(void); int main(void) { return x_one() != 1; }" $LX',
        run=("bin/prog", "bin/other"),
    ),
}  # fmt: skip

_TWO_NODES = 'map a "X_1 { global: x_one; }; X_2 { global: x_two; local: *; } X_1;";'
_VERSIONED = _TWO_NODES + 'x $A "$BOTH" -Wl,--version-script,$T/a; prog $C/bin/prog "$USE" $LX;'
_OF = 'int x_%s_%d(void) { return 1; } __asm__(\\".symver x_%s_%d,x_%s%sX_%d\\");'

SYMBOLS = {
    "variable behind a copy relocation": Case(
        'x $A "int x_var = 3; $BOTH"; x $B "$BOTH";'
        ' prog $C/bin/prog "extern int x_var; int main(void) { return x_var != 3; }" $LX'
    ),
    "variable that grows behind a copy relocation": Case(
        'x $A "int x_var[4] = {3}; $BOTH"; x $B "int x_var[8] = {3}; $BOTH";'
        ' prog $C/bin/prog "extern int x_var[]; int main(void) { return *x_var != 3; }" $LX'
    ),
    "protected variable behind a copy relocation": Case(
        'x $A "int x_var = 3; $BOTH"; x $B "__attribute__((visibility(\\"protected\\"))) int x_var = 3; $BOTH";'
        ' prog $C/bin/prog "extern int x_var; int main(void) { return x_var != 3; }" $LX'
    ),
    "thread-local variable": Case(
        'x $A "__thread int x_tls = 3;"; x $B "$ONE";'
        ' prog $C/bin/prog "extern __thread int x_tls; int main(void) { return x_tls != 3; }" $LX'
    ),
    "address in data": Case(
        'x $A "$BOTH"; x $B "$ONE"; prog $C/bin/prog "int x_two(void); int (*f)(void) = x_two; int main(void) { return 0; }" $LX'
    ),
    "address in a program that does not move": Case(
        'x $A "$BOTH"; x $B "$ONE"; prog $C/bin/prog "int x_two(void); int main(int c, char **v) { return x_two == main; }"'
        " -no-pie -fno-pic $LX"
    ),
    "named for the linker only": Case(
        'x $A "$BOTH"; x $B "$ONE"; prog $C/bin/prog "int x_one(void); int main(void) { return x_one() != 1; }" -Wl,-u,x_two $LX'
    ),
    "weak need": Case(
        'x $A "$BOTH"; x $B "$ONE"; prog $C/bin/prog "int x_one(void); __attribute__((weak)) int x_two(void);'
        ' int main(void) { return x_two ? 0 : x_one() != 1; }" $LX'
    ),
    "weak definition": Case(
        _X_AND_USE + 'x $B "__attribute__((weak)) int x_one(void) { return 1; } __attribute__((weak)) int x_two(void) { return 2; }"'
    ),
    "absolute, indirect, unique and protected": Case(
        'x $A "$BOTH"; prog $C/bin/prog "int x_one(void), x_two(void), x_abs, x_u; int *p[] = {&x_abs, &x_u};'
        ' int main(int c, char **v) { return c > 9 ? x_two() : x_one() != 1; }" $LX;'
        ' x $B "static int one(void) { return 1; } static void *pick(void) { return one; }'
        ' int x_one(void) __attribute__((ifunc(\\"pick\\"))); __attribute__((visibility(\\"protected\\"))) int x_two(void) { return 2; }'
        ' __asm__(\\".globl x_abs; x_abs = 42; .data; .globl x_u; .type x_u, @gnu_unique_object; x_u: .long 1\\");"'
    ),
    "hidden": Case(_X_AND_USE + 'x $B "$ONE __attribute__((visibility(\\"hidden\\"))) int x_two(void) { return 2; }"'),
    "function that becomes a variable": Case(_X_AND_USE + 'x $B "$ONE int x_two = 2;"'),
    "old hash": Case(_X_AND_USE + 'x $B "$ONE" -Wl,--hash-style=sysv'),
    "version gone": Case(_VERSIONED + 'map b "X_1 { global: x_*; local: *; };"; x $B "$BOTH" -Wl,--version-script,$T/b'),
    "symbol in another version": Case(
        _VERSIONED + 'map b "X_1 { global: x_two; }; X_2 { global: x_one; local: *; } X_1;"; x $B "$BOTH" -Wl,--version-script,$T/b'
    ),
    "base version serves any": Case(
        _VERSIONED + 'map b "X_1 { global: x_one; }; X_2 { global: more; } X_1;"; x $B "$BOTH int more;" -Wl,--version-script,$T/b'
    ),
    "versions lost, those of others needed": Case(_VERSIONED + 'x $B "int puts(char *); $BOTH int m(void) { return puts(0); }"'),
    "version not the default": Case(
        _VERSIONED + 'map b "X_1 { global: x_one; }; X_2 { global: x_two; } X_1; X_3 { local: *; } X_2;";'
        ' x $B "$ONE int two(void) { return 2; } int new(void) { return 3; }'
        ' __asm__(\\".symver two,x_two@X_2\\"); __asm__(\\".symver new,x_two@@X_3\\");" -Wl,--version-script,$T/b'
    ),
    "version that a dependency lacks": Case(
        'map o "N_1 { global: n; };"; map n "N_1 { global: n; }; N_2 { global: n_two; } N_1;";'
        ' so $D/n/lib/libn.so.1 "int n(void) { return 1; }" libn.so.1 -Wl,--version-script,$T/o;'
        ' so $T/new/libn.so.1 "int n(void) { return 1; } int n_two(void) { return 1; }" libn.so.1 -Wl,--version-script,$T/n;'
        + _X_AND_USE + 'x $B "int n_two(void); int x_one(void) { return n_two(); } int x_two(void) { return 2; }"'
        ' "-L$T/new -l:libn.so.1"'
    ),
    "no version needed, the first defined": Case(
        _X_AND_USE + 'map b "X_1 { global: x_*; };"; x $B "$BOTH" -Wl,--version-script,$T/b'
    ),
    "no version needed, a later default": Case(
        _X_AND_USE + 'map b "X_1 { global: y; }; X_2 { global: z; } X_1; X_3 { global: x_*; } X_2;";'
        ' x $B "$BOTH int y, z;" -Wl,--version-script,$T/b'
    ),
    "no version needed, the first hidden": Case(
        _X_AND_USE + 'map b "X_1 { global: x_one; }; X_2 { global: y; } X_1;";'
        ' x $B "$ONE int y; int two(void) { return 2; } __asm__(\\".symver two,x_two@X_1\\");" -Wl,--version-script,$T/b'
    ),
    "no version needed, a later hidden": Case(
        _X_AND_USE + 'map b "X_1 { global: x_one; }; X_2 { global: y; } X_1;";'
        ' x $B "$ONE int y; int two(void) { return 2; } __asm__(\\".symver two,x_two@X_2\\");" -Wl,--version-script,$T/b'
    ),
    "program that defines it too": Case(
        'x $A "$BOTH"; x $B "$ONE"; so $D/m/lib/libmid.so.1 "int x_two(void); int m(void) { return x_two() != 2; }"'
        ' libmid.so.1 $LX; prog $C/bin/prog "int m(void); int x_two(void) { return 2; } int main(void) { return m(); }"'
        " -L$D/m/lib -l:libmid.so.1"
    ),
}  # fmt: skip

CASES.update(SYMBOLS)
