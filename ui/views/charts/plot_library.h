// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/// QCustomPlot, whose header uses Qt's keywords that this program switches off.
#include <QObject>

#define signals Q_SIGNALS
#define slots Q_SLOTS
#define emit Q_EMIT
#define foreach Q_FOREACH
#include <qcustomplot.h>
#undef signals
#undef slots
#undef emit
#undef foreach
