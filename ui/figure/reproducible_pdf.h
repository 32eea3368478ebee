// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QByteArray>
#include <cstdint>
#include <optional>

/// The same figure is the same file, byte for byte, whenever and by whichever process it is written: Qt's PDFs have the
/// time in them, and their fonts in the order of a hash table whose seed is random.
namespace natscope::ui {

/// While one of these lives, hash tables that are made have the same seed. Qt's own, of all threads: short.
class SteadyHashOrder {
 public:
  SteadyHashOrder();
  ~SteadyHashOrder();
  SteadyHashOrder(const SteadyHashOrder&) = delete;
  SteadyHashOrder& operator=(const SteadyHashOrder&) = delete;
};

/// What Qt wrote with this time in seconds since 1970 as its date, or with none. A file of another kind stays as it is.
[[nodiscard]] QByteArray withDate(const QByteArray& pdf, std::optional<std::int64_t> seconds);

/// SOURCE_DATE_EPOCH, as reproducible-builds.org has it: the time that files are to say they were made at.
[[nodiscard]] std::optional<std::int64_t> sourceDate();

}  // namespace natscope::ui
