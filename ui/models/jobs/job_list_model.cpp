// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/jobs/job_list_model.h"

#include <algorithm>
#include <cmath>

#include "ui/models/grouped_number.h"

namespace natscope::ui {
namespace {

constexpr int longestName = 100;

QString none() { return QStringLiteral("–"); }

QString nameOf(const JobRow& row) { return QString::fromStdString(printable(row.entry.name, longestName)); }

QString kindText(const jobs::JobSpec& spec) {
  if (spec.kind == jobs::JobKind::finetune) {
    const std::string_view trained = spec.text("trained");
    if (trained == "lora") return JobListModel::tr("LoRA");
    if (trained == "all") return JobListModel::tr("all weights");
    return JobListModel::tr("score layers");
  }
  if (spec.text("full_attention") == "true") return JobListModel::tr("full attention");
  const std::string_view mask = spec.text("policy");
  const bool isFixed = !mask.empty() && mask != "model";
  return isFixed ? JobListModel::tr("fixed mask") : JobListModel::tr("from scratch");
}

/// Two losses that must not be held against each other.
QString lossUnit(const jobs::JobSpec& spec) {
  return spec.kind == jobs::JobKind::finetune ? JobListModel::tr("MSE") : JobListModel::tr("nats");
}

QString stateText(const JobRow& row) {
  const jobs::JobStatus& status = row.entry.status;
  const JobStateSign sign = signOf(status.state);
  const bool isStopping = status.stop_requested && jobs::is_active(status.state);
  return sign.sign + u' ' + (isStopping ? JobListModel::tr("stopping") : sign.word);
}

/// Its status knows the number of steps once one has ended; its description, where it says one, from the beginning.
QString stepText(const JobRow& row) {
  const jobs::JobStatus& status = row.entry.status;
  const std::string_view said = row.entry.spec.text("steps");
  const qint64 steps =
      status.steps > 0 ? status.steps : QByteArrayView(said.data(), qsizetype(said.size())).toLongLong();
  if (steps > 0) return JobListModel::tr("%1 of %2").arg(groupedNumber(status.step), groupedNumber(steps));
  if (status.step > 0) return groupedNumber(status.step);
  const bool isBeginning = status.state == jobs::JobState::starting || status.state == jobs::JobState::running;
  return isBeginning ? JobListModel::tr("starting") : none();
}

QString tipOf(const JobRow& row) {
  if (row.entry.problem) return QString::fromStdString(format_error_line(*row.entry.problem));
  const jobs::JobStatus& status = row.entry.status;
  QStringList lines{QString::fromStdString(printable(row.entry.folder.string(), 400))};
  if (!status.error.empty()) lines.append(QString::fromStdString(printable(status.error, 600)));
  if (!status.cluster.empty()) lines.append(QString::fromStdString("Slurm: " + printable(status.cluster)));
  if (!status.updated.empty())
    lines.append(JobListModel::tr("said at %1").arg(QString::fromStdString(printable(status.updated, 40))));
  return lines.join(u'\n');
}

}  // namespace

JobStateSign signOf(jobs::JobState state) {
  const auto tr = [](const char* text) { return JobListModel::tr(text); };
  switch (state) {
    case jobs::JobState::created:
      return {QStringLiteral("○"), tr("not started")};
    case jobs::JobState::queued:
      return {QStringLiteral("◔"), tr("queued")};
    case jobs::JobState::starting:
      return {QStringLiteral("▷"), tr("starting")};
    case jobs::JobState::running:
      return {QStringLiteral("▶"), tr("running")};
    case jobs::JobState::stopped:
      return {QStringLiteral("■"), tr("stopped")};
    case jobs::JobState::interrupted:
      return {QStringLiteral("◧"), tr("interrupted")};
    case jobs::JobState::finished:
      return {QStringLiteral("✓"), tr("finished")};
    case jobs::JobState::failed:
      return {QStringLiteral("✕"), tr("failed")};
    case jobs::JobState::killed:
      return {QStringLiteral("⊘"), tr("killed")};
  }
  return {};
}

QString durationText(std::optional<double> seconds) {
  constexpr double longest = 3600.0 * 24 * 365;
  if (!seconds || !std::isfinite(*seconds) || *seconds < 0 || *seconds > longest) return none();
  const auto whole = static_cast<qint64>(std::llround(*seconds));
  const auto two = [](qint64 value) { return QStringLiteral("%1").arg(value, 2, 10, QLatin1Char('0')); };
  if (whole < 3600) return QString::number(whole / 60) + u':' + two(whole % 60);
  return QString::number(whole / 3600) + u':' + two(whole / 60 % 60) + u':' + two(whole % 60);
}

void JobListModel::setRows(std::vector<JobRow> rows) {
  // Rows keep the place they have; the view sorts. So a list that is looked at does not jump with every second.
  std::map<std::string, JobRow*> fresh;
  for (JobRow& row : rows) fresh.emplace(row.entry.name, &row);
  for (int at = static_cast<int>(rows_.size()) - 1; at >= 0; --at) {
    JobRow& old = rows_[static_cast<std::size_t>(at)];
    const auto found = fresh.find(old.entry.name);
    if (found == fresh.end()) {
      beginRemoveRows({}, at, at);
      const QString name = QString::fromStdString(old.entry.name);
      rows_.erase(rows_.begin() + at);
      endRemoveRows();
      if (checked_.remove(name)) Q_EMIT checkedChanged();
      continue;
    }
    old = std::move(*found->second);
    fresh.erase(found);
  }
  if (!rows_.empty()) Q_EMIT dataChanged(index(0, 0), index(rowCount() - 1, columns - 1));
  if (fresh.empty()) return;
  std::vector<JobRow> added;
  for (JobRow& row : rows) {
    if (const auto found = fresh.find(row.entry.name); found != fresh.end() && found->second == &row) {
      added.push_back(std::move(row));
      fresh.erase(found);
    }
  }
  beginInsertRows({}, 0, static_cast<int>(added.size()) - 1);
  rows_.insert(rows_.begin(), std::make_move_iterator(added.begin()), std::make_move_iterator(added.end()));
  endInsertRows();
}

const JobRow* JobListModel::find(const QString& name) const {
  const int row = rowOf(name);
  return row < 0 ? nullptr : &rows_[static_cast<std::size_t>(row)];
}

int JobListModel::rowOf(const QString& name) const {
  const std::string wanted = name.toStdString();
  const auto found =
      std::find_if(rows_.begin(), rows_.end(), [&](const JobRow& row) { return row.entry.name == wanted; });
  return found == rows_.end() ? -1 : static_cast<int>(found - rows_.begin());
}

QString JobListModel::asText() const {
  QStringList lines;
  for (const JobRow& row : rows_) {
    QStringList cells;
    for (int column = 0; column < columns; ++column) cells.append(text(row, column));
    lines.append(cells.join(QStringLiteral(" | ")));
  }
  return lines.join(u'\n');
}

int JobListModel::rowCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : static_cast<int>(rows_.size());
}

int JobListModel::columnCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : columns; }

QString JobListModel::text(const JobRow& row, int column) const {
  if (column == nameColumn) return nameOf(row);
  if (row.entry.problem) return column == stateColumn ? tr("? unreadable") : none();
  const jobs::JobStatus& status = row.entry.status;
  const auto& last = row.last;
  switch (column) {
    case kindColumn:
      return kindText(row.entry.spec);
    case stateColumn:
      return stateText(row);
    case stepColumn:
      return stepText(row);
    case lossColumn:
      return last ? QString::number(last->loss, 'f', 3) + u' ' + lossUnit(row.entry.spec) : none();
    case kvColumn:
      return last && last->argmax ? percentText(last->argmax->kv_fraction) : none();
    case speedColumn:
      return last && last->tokens_per_s ? speedText(*last->tokens_per_s) : none();
    case etaColumn:
      return jobs::is_active(status.state) && last ? durationText(last->eta_s) : none();
    default:
      return {};
  }
}

QVariant JobListModel::data(const QModelIndex& index, int role) const {
  if (!index.isValid() || index.row() >= rowCount()) return {};
  const JobRow& row = rows_[static_cast<std::size_t>(index.row())];
  const int column = index.column();
  switch (role) {
    case Qt::DisplayRole:
      return text(row, column);
    case Qt::ToolTipRole:
      return tipOf(row);
    case Qt::CheckStateRole:
      if (column != nameColumn) return {};
      return checked_.contains(QString::fromStdString(row.entry.name)) ? Qt::Checked : Qt::Unchecked;
    case Qt::TextAlignmentRole:
      return static_cast<int>((column >= lossColumn ? Qt::AlignRight : Qt::AlignLeft) | Qt::AlignVCenter);
    case progressRole:
      if (row.entry.problem || row.entry.status.steps <= 0) return {};
      return std::clamp(static_cast<double>(row.entry.status.step) / static_cast<double>(row.entry.status.steps), 0.0,
                        1.0);
    case stateRole:
      return row.entry.problem ? -1 : static_cast<int>(row.entry.status.state);
    default:
      return {};
  }
}

QVariant JobListModel::headerData(int section, Qt::Orientation orientation, int role) const {
  if (orientation != Qt::Horizontal) return {};
  if (role == Qt::TextAlignmentRole) {
    return static_cast<int>((section >= lossColumn ? Qt::AlignRight : Qt::AlignLeft) | Qt::AlignVCenter);
  }
  if (role == Qt::ToolTipRole && section == lossColumn) {
    return tr(
        "Of the latest step. nats: cross entropy of the next token. MSE: fine-tuning's, the mean squared difference "
        "of the last hidden states to those of the model with full attention.");
  }
  if (role != Qt::DisplayRole || section < 0 || section >= columns) return {};
  const QString titles[columns] = {tr("Job"),  tr("Kind"), tr("State"), tr("Step"),
                                   tr("Loss"), tr("KV"),   tr("tok/s"), tr("Left")};
  return titles[section];
}

Qt::ItemFlags JobListModel::flags(const QModelIndex& index) const {
  Qt::ItemFlags flags = Qt::ItemIsEnabled | Qt::ItemIsSelectable;
  if (index.column() == nameColumn) flags |= Qt::ItemIsUserCheckable;
  return flags;
}

bool JobListModel::setData(const QModelIndex& index, const QVariant& value, int role) {
  if (role != Qt::CheckStateRole || index.column() != nameColumn || index.row() >= rowCount()) return false;
  const QString name = QString::fromStdString(rows_[static_cast<std::size_t>(index.row())].entry.name);
  if (value.toInt() == Qt::Checked) {
    checked_.insert(name);
  } else {
    checked_.remove(name);
  }
  Q_EMIT dataChanged(index, index);
  Q_EMIT checkedChanged();
  return true;
}

}  // namespace natscope::ui
