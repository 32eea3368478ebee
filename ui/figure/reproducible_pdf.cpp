// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/figure/reproducible_pdf.h"

#include <QDateTime>
#include <QHash>
#include <algorithm>

namespace natscope::ui {
namespace {

constexpr qsizetype entryBytes = 20;  // of the cross-reference table: "0000000017 00000 n \n"
constexpr qsizetype offsetDigits = 10;

/// Where the table of `pdf` begins: what stands behind "startxref". Nothing where there is none.
std::optional<qsizetype> tableAt(const QByteArray& pdf) {
  const qsizetype word = pdf.lastIndexOf("startxref\n");
  if (word < 0) return std::nullopt;
  const qsizetype begin = word + 10;
  bool isNumber = false;
  const qlonglong at = pdf.mid(begin, pdf.indexOf('\n', begin) - begin).toLongLong(&isNumber);
  if (!isNumber || at < 0 || at >= pdf.size() || !pdf.mid(at).startsWith("xref\n0 ")) return std::nullopt;
  return at;
}

/// Tells the table that what lay from `begin` on lies `shift` bytes further on.
QByteArray shiftedTable(QByteArray table, qsizetype begin, qsizetype shift) {
  constexpr qsizetype count = 7;  // behind "xref\n0 "
  const qsizetype entries = table.indexOf('\n', count) + 1;
  const qsizetype end = entries + entryBytes * table.mid(count, entries - 1 - count).toInt();
  for (qsizetype at = entries; at < std::min(end, table.size() - entryBytes); at += entryBytes) {
    const qlonglong offset = table.mid(at, offsetDigits).toLongLong();
    if (offset < begin || table.at(at + entryBytes - 3) != 'n') continue;
    table.replace(at, offsetDigits, QByteArray::number(offset + shift).rightJustified(offsetDigits, '0'));
  }
  return table;
}

}  // namespace

SteadyHashOrder::SteadyHashOrder() { QHashSeed::setDeterministicGlobalSeed(); }
SteadyHashOrder::~SteadyHashOrder() { QHashSeed::resetRandomGlobalSeed(); }

QByteArray withDate(const QByteArray& pdf, std::optional<std::int64_t> seconds) {
  const qsizetype begin = pdf.indexOf("/CreationDate (");
  const qsizetype end = begin < 0 ? -1 : pdf.indexOf(")\n", begin);
  const auto table = tableAt(pdf);
  if (end < 0 || !table || *table < end) return pdf;
  QByteArray date;
  if (seconds) {
    const QDateTime time = QDateTime::fromSecsSinceEpoch(*seconds, Qt::UTC);
    date = "/CreationDate (D:" + time.toString(QStringLiteral("yyyyMMddHHmmss")).toLatin1() + "Z)\n";
  }
  const qsizetype rest = end + 2;
  const qsizetype shift = date.size() - (rest - begin);
  const qsizetype trailer = pdf.lastIndexOf("startxref\n") + 10;
  return pdf.left(begin) + date + pdf.mid(rest, *table - rest) +
         shiftedTable(pdf.mid(*table, trailer - *table), begin, shift) + QByteArray::number(*table + shift) +
         pdf.mid(pdf.indexOf('\n', trailer));
}

std::optional<std::int64_t> sourceDate() {
  bool isNumber = false;
  const qlonglong seconds = qgetenv("SOURCE_DATE_EPOCH").toLongLong(&isNumber);
  constexpr qlonglong lastOfFourDigits = 253402300799;  // 9999-12-31T23:59:59Z
  if (!isNumber || seconds < 0 || seconds > lastOfFourDigits) return std::nullopt;
  return seconds;
}

}  // namespace natscope::ui
