#!/usr/bin/env python3
"""Answers the questions of a rule list with Z3.

  z3-referee.py FILE

FILE holds `width BITS`, one line per rule in order (source, destination, protocol, ports, accept)
and one per question. Prints one digit per question (1: every packet is accepted) and the seconds
that encoding and answering took.
"""
import sys
import time

import z3

rules, questions, width = [], [], 32
for line in open(sys.argv[1]):
    kind, *numbers = line.split()
    numbers = list(map(int, numbers))
    if kind == "width":
        width = numbers[0]
    else:
        (rules if kind == "rule" else questions).append(numbers)

start = time.monotonic()
source, destination = z3.BitVec("source", width), z3.BitVec("destination", width)
protocol, port = z3.BitVec("protocol", 8), z3.BitVec("port", 16)


def within(field, lower, upper):
    if lower == 0 and upper == 2 ** field.size() - 1:
        return []
    if lower == upper:
        return [field == lower]
    return [z3.UGE(field, lower), z3.ULE(field, upper)]


def box(row):
    return z3.And(within(source, row[0], row[1]) + within(destination, row[2], row[3])
                  + [protocol == row[4]] + within(port, row[5], row[6]))


def meets(rule, question):
    return (rule[0] <= question[1] and question[0] <= rule[1] and rule[2] <= question[3]
            and question[2] <= rule[3] and rule[4] == question[4]
            and rule[5] <= question[6] and question[5] <= rule[6])


answers = []
for question in questions:
    accepted = z3.BoolVal(False)
    for rule in reversed([r for r in rules if meets(r, question)]):
        accepted = z3.If(box(rule), z3.BoolVal(bool(rule[7])), accepted)
    solver = z3.Solver()
    solver.add(box(question), z3.Not(accepted))
    answers.append("1" if solver.check() == z3.unsat else "0")
print("".join(answers))
print(time.monotonic() - start)
