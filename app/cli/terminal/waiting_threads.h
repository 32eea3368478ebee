// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

namespace natscope {

/// From here on OpenMP's threads wait for each other asleep: the program begins once more with OMP_WAIT_POLICY=passive,
/// which its runtime looks at only then, and this returns there. Nothing happens where the environment says how they
/// wait (OMP_WAIT_POLICY, GOMP_SPINCOUNT). For commands that train, before anything is read or written.
///
/// Awake, as they wait by themselves, they hold the core of the thread that they wait for as soon as another program
/// wants cores, too. tests/bench/results/busy_training.json has what both cost, beside other programs and alone.
void wait_asleep(char** argv);

}  // namespace natscope
