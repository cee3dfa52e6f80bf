# Every target is one or two commands; README.md shows the same ones.
export PATH := $(CURDIR)/.venv/bin:$(PATH)
.PHONY: lab test lint bench lab-down clean

lab:
	requirements/install.sh
	.venv/bin/ansible-playbook -i inventory/lab playbooks/lab.yml

test:
	requirements/install.sh
	.venv/bin/pytest

lint:
	requirements/install.sh
	.venv/bin/pytest tests/quality

bench:
	requirements/install.sh
	.venv/bin/python tests/bench/bench.py

lab-down:
	.venv/bin/ansible-playbook -i inventory/lab playbooks/lab_down.yml

clean:
	.venv/bin/ansible-playbook -i inventory/lab playbooks/lab_clean.yml
