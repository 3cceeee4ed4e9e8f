"""PgBouncer is tested where it is, or can be, installed."""

import os
import shutil

from deploy.local import packages

collect_ignore = []
if packages.missing(["pgbouncer"]) and (os.geteuid() != 0 or not shutil.which("apt-get")):
    print("PgBouncer is not tested: " + packages.instruction(["pgbouncer"]))
    collect_ignore.append("test_pooler.py")
