"""Import the package and print whether all that reaping needs is loaded with it.

Usage: late_import
"""

import json
import sys

import trio_coreshift._kernel.child  # noqa: F401 - for what it brings along

if __name__ == "__main__":
    sys.stdout.write(json.dumps({"loaded": "resource" in sys.modules}))
