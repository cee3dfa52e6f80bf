# Every target is one or two commands; README.md shows the same ones. PYTHON names the interpreter to take.
PYTHON ?= $(TWINSTACK_PYTHON)
export TWINSTACK_PYTHON := $(PYTHON)
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export MOLECULE_GLOB := tests/molecule/*/molecule.yml
.PHONY: lab test lint acceptance faults bench bump lab-down clean

lab:
	requirements/install.sh
	.venv/bin/ansible-playbook -i inventory/lab playbooks/lab/site.yml

test:
	requirements/install.sh
	.venv/bin/pytest

lint:
	requirements/install.sh
	.venv/bin/pytest tests/quality

acceptance:
	requirements/install.sh
	.venv/bin/molecule test --scenario-name ipv4_first --scenario-name ipv6_first

faults:
	requirements/install.sh
	.venv/bin/pytest -n 0 tests/lab

bench:
	requirements/install.sh
	.venv/bin/python tests/bench/bench.py

# COMPONENT, VERSION and REVISION reach the command by its environment.
bump:
	requirements/install.sh
	.venv/bin/ansible-playbook -i inventory/lab playbooks/bump.yml

lab-down:
	.venv/bin/ansible-playbook -i inventory/lab playbooks/lab/down.yml

clean:
	.venv/bin/ansible-playbook -i inventory/lab playbooks/lab/destroy.yml
