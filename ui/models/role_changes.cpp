// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/role_changes.h"

#include <QCoreApplication>
#include <QFileInfo>
#include <algorithm>

#include "core/export/colour_map.h"

namespace natscope::ui {
namespace {

QString tr(const char* text) { return QCoreApplication::translate("RoleChanges", text); }

bool isAt(const ForcedRole& role, LayerId layer, KvHeadId kvHead, TokenPos position) {
  return role.layer == layer && role.kv_head == kvHead && role.position == position;
}

}  // namespace

const ForcedRole* RoleChanges::find(LayerId layer, KvHeadId kvHead, TokenPos position) const {
  const auto found =
      std::ranges::find_if(forced, [&](const ForcedRole& role) { return isAt(role, layer, kvHead, position); });
  return found == forced.end() ? nullptr : &*found;
}

void RoleChanges::force(const ForcedRole& role) {
  release(role.layer, role.kv_head, role.position);
  forced.push_back(role);
}

void RoleChanges::release(LayerId layer, KvHeadId kvHead, TokenPos position) {
  std::erase_if(forced, [&](const ForcedRole& role) { return isAt(role, layer, kvHead, position); });
}

void RoleChanges::addTo(RolePlan& plan) const {
  if (window) plan.window = window;
  if (roles) plan.roles = *roles;
  plan.forced.insert(plan.forced.end(), forced.begin(), forced.end());
}

QString RoleChanges::inWords() const {
  QStringList parts;
  if (window) parts << tr("W %1").arg(*window);
  if (roles) parts << tr("roles of %1").arg(QFileInfo(rolesFile).fileName());
  if (forced.size() == 1) parts << tr("1 role set by hand");
  if (forced.size() > 1) parts << tr("%1 roles set by hand").arg(forced.size());
  return parts.join(QStringLiteral(" · "));
}

QStringList RoleChanges::commandWords() const {
  QStringList words;
  if (window) words << QStringLiteral("--window") << QString::number(*window);
  if (!rolesFile.isEmpty()) words << QStringLiteral("--roles") << rolesFile;
  for (const ForcedRole& role : forced) {
    words << QStringLiteral("--force")
          << QStringLiteral("%1.%2.%3=%4")
                 .arg(role.layer.value)
                 .arg(role.kv_head.value)
                 .arg(role.position.value)
                 .arg(QLatin1Char(role_letter(role.role)));
  }
  return words;
}

bool operator==(const RoleChanges& a, const RoleChanges& b) {
  const auto isIn = [](const RoleChanges& all) {
    return [&all](const ForcedRole& role) {
      const ForcedRole* const other = all.find(role.layer, role.kv_head, role.position);
      return other != nullptr && other->role == role.role;
    };
  };
  return a.window == b.window && a.roles == b.roles && a.forced.size() == b.forced.size() &&
         std::ranges::all_of(a.forced, isIn(b));
}

}  // namespace natscope::ui
