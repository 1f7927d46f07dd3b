"""The driver of environments: the step, cut at its decision point.

The other driver pushes rows through whole steps. Here the caller decides: a call ends the open row
of each account with the targets that it brings, and begins the next row. Accounts stand at rows of
their own, in bars that they share. Both drivers call the same two functions of `step.py`, so an
episode equals a backtest of its targets, bit for bit.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numba import boolean, int64

from alphalab.codes import EnvCommand
from alphalab.kernels._jit import DISABLED, jit
from alphalab.kernels._reference import by_reference
from alphalab.kernels.market.arguments import COLUMNS, ENVS, OUTPUT, ROWS, WORKSPACE
from alphalab.kernels.market.books import (
    N_AMBIGUITIES,
    N_EVENTS,
    N_FILLS,
    N_POSTINGS,
    N_REFUSALS,
    fullest,
    logs_have_room,
    switches,
)
from alphalab.kernels.market.drivers import keep
from alphalab.kernels.market.env_observation import observe
from alphalab.kernels.market.env_reward import reward_of
from alphalab.kernels.market.gate import forced_flat
from alphalab.kernels.market.layout import Books, Tally
from alphalab.kernels.market.step import after_decision, before_decision
from alphalab.kernels.market.tally import fold_account, fold_logs

REST, STEP, RESET = (np.int64(x) for x in EnvCommand)
NOT_FINITE, ENDED, OUTSIDE = range(3)  # equity; episode is over; episode outside of the rows
ALWAYS = np.int64(-1)  # in place of a number of changes: positions may have changed


@jit
def restore(columns, template, c):
    """Set account c to the state before its first row."""
    columns.accounts[c] = template.accounts[0]
    columns.figures[c] = template.figures[0]
    columns.equity[c, 0] = template.equity[0, 0]
    for j in range(columns.positions.shape[1]):
        columns.positions[c, j] = template.positions[0, j]
        columns.trips[c, j] = template.trips[0, j]
        for k in range(columns.orders.shape[2]):
            columns.orders[c, j, k] = template.orders[0, j, k]
    for i in range(columns.traded.shape[1]):
        columns.traded[c, i] = template.traded[0, i]
    for i in range(columns.words.shape[1]):
        columns.words[c, i] = template.words[0, i]


@jit
def begin_episode(columns, template, envs, c):
    """Put account c at the start of an episode."""
    restore(columns, template, c)
    envs.at[c] = envs.start[c]
    envs.moments[c, 0] = envs.moments[c, 1] = 0.0
    for j in range(envs.asked.shape[1]):
        envs.asked[c, j] = 0.0


@jit
def judge(envs, c, account, reward, begins):
    """Write the reward of the row that has begun, and whether the episode ends with it."""
    equity, turnover = account["equity"], account["turnover"]
    envs.reward[c] = 0.0
    if not begins:
        before, traded = envs.last_equity[c], turnover - envs.turnover[c]
        weight, moments = envs.weight[0], envs.moments[c]
        envs.reward[c] = reward_of(reward, weight, account, before, traded, moments)
    envs.last_equity[c] = equity
    envs.turnover[c] = turnover
    lost = account["lock"] != 0
    envs.terminated[c] = lost
    envs.truncated[c] = not lost and envs.at[c] >= envs.stop[c]


@jit
def fits(books):
    """Return True if every log has room for the entries of two rows: those of one call."""
    one = fullest(books, 0)
    two = (
        2 * one[N_FILLS] - books.fills.size,
        2 * one[N_REFUSALS] - books.refusals.size,
        2 * one[N_EVENTS] - books.events.size,
        2 * one[N_POSTINGS] - books.postings.size,
        2 * one[N_AMBIGUITIES] - books.ambiguities.size,
    )
    return logs_have_room(books.counts, two)


def _advance(columns, work, rows, output, envs, template, recording, tallied, window, reward):
    """Do the command of every account; return how many are done.

    Fewer than all: a log of the next account, which records, has no room. Below 0: account c has
    failed, ``done = -1 - c - n_accounts * code`` with one of the codes below. An account that ends
    its episode also ends its last row, without an opinion, if it records or keeps a tally.
    """
    n_accounts = columns.accounts.size
    for c in range(n_accounts):
        if envs.command[c] == REST:
            continue
        books = by_reference(Books(
            columns.rules[c], columns.tiers[c], columns.ladder[c],
            columns.instruments[c], columns.groups[c], columns.starts[c],
            columns.accounts[c : c + 1], columns.accounts[c],
            columns.positions[c], columns.orders[c], columns.traded[c],
            work.fills, work.refusals, work.events, work.postings, work.ambiguities, work.counts,
            work.saved_account, work.saved_position, work.saved_orders, work.saved_traded,
        ))  # fmt: skip
        tally = by_reference(Tally(
            columns.figures[c], columns.equity[c], columns.equity_bits[c],
            work.value, work.gross, work.gain,
            columns.trips[c], columns.trip_bits[c], work.fill_bits, columns.words[c],
            columns.segments[c], work.bounds,
        ))  # fmt: skip
        if recording and not fits(books):
            return c
        a = books.account
        begins = envs.command[c] == RESET
        if begins:
            if not window - 1 <= envs.start[c] < envs.stop[c] < rows.time.size:
                return -1 - c - n_accounts * OUTSIDE
        elif envs.terminated[c] or envs.truncated[c]:
            return -1 - c - n_accounts * ENDED
        if begins:
            begin_episode(columns, template, envs, c)
        on = switches(books, rows.delists[0] == 1)
        decided, ends = not begins, False
        while True:
            t = envs.at[c]
            place = a["row"] if recording else 0
            row, targets = output.ledger[c, place], output.targets[c, place]
            if decided:
                for j in range(targets.size):
                    targets[j] = np.nan if ends else envs.asked[c, j]
                forced = envs.forced[c] == 1
                after_decision(books, on, rows.bars, t, rows.period[t], forced, targets, row)
                if recording or tallied:
                    keep(books, tally, recording, row, output.qty[c, place], ALWAYS)
                if ends:
                    break
                t += 1
                envs.at[c] = t
                row = output.ledger[c, place + 1 if recording else 0]
            before_decision(books, on, rows.bars, t, rows.time[t], row)
            envs.forced[c] = forced_flat(books)
            if not np.isfinite(a["equity"]):
                return -1 - c - n_accounts * NOT_FINITE
            judge(envs, c, a, reward, begins)
            observe(books, envs, c, t, window)
            ends = (envs.terminated[c] or envs.truncated[c]) and (recording or tallied)
            if not ends:
                break
            decided = True
        if tallied:
            fold_logs(tally, books)
            fold_account(tally, a)
        elif not recording:
            for i in range(books.counts.size):
                books.counts[i] = 0
    return n_accounts


@cache
def advance() -> Any:
    """Return the compiled driver; it is an entry point as in `drivers.run`."""
    groups = COLUMNS.type, WORKSPACE.type, ROWS.type, OUTPUT.type, ENVS.type, COLUMNS.type
    run = jit(_advance, int64(*groups, boolean, boolean, int64, int64))
    if DISABLED:
        return run
    (overload,) = run.overloads.values()
    return overload.entry_point
