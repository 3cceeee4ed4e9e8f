"""How do I run the notifier? `python -m services.notifier serve | migrate | asyncapi | redrive <queue> | resend | refused | stuck`."""

from libs.common.service import main
from services.notifier.app import build, print_stuck
from services.notifier.settings import Settings, check_settings

if __name__ == "__main__":
    main(service="notifier", settings=Settings, build=build, check=check_settings, commands={"stuck": print_stuck})
