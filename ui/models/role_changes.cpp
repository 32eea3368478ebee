// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/role_changes.h"

#include <QCoreApplication>
#include <QFileInfo>
#include <algorithm>
#include <map>
#include <tuple>

#include "ui/models/grouped_number.h"

namespace natscope::ui {
namespace {

QString tr(const char* text) { return QCoreApplication::translate("RoleChanges", text); }

auto place(const ForcedRole& role) { return std::tuple(role.layer, role.kv_head, role.position); }

bool isAt(const ForcedRole& role, LayerId layer, KvHeadId kvHead, TokenPos position) {
  return place(role) == std::tuple(layer, kvHead, position);
}

}  // namespace

RoleChanges RoleChanges::of(const SetByHand& set) {
  RoleChanges changes;
  changes.window = set.window;
  changes.hadOtherRoles = !set.roles_sha256.empty();
  std::map<std::tuple<LayerId, KvHeadId, TokenPos>, ForcedRole> last;
  for (const ForcedRole& role : set.forced) last.insert_or_assign(place(role), role);
  for (const auto& [at, role] : last) changes.forced.push_back(role);
  return changes;
}

const ForcedRole* RoleChanges::find(LayerId layer, KvHeadId kvHead, TokenPos position) const {
  const auto found =
      std::ranges::find_if(forced, [&](const ForcedRole& role) { return isAt(role, layer, kvHead, position); });
  return found == forced.end() ? nullptr : &*found;
}

void RoleChanges::force(const ForcedRole& role) {
  release(role.layer, role.kv_head, role.position);
  forced.push_back(role);
}

void RoleChanges::releaseAll(TokenPos position) {
  std::erase_if(forced, [&](const ForcedRole& role) { return role.position == position; });
}

void RoleChanges::release(LayerId layer, KvHeadId kvHead, TokenPos position) {
  std::erase_if(forced, [&](const ForcedRole& role) { return isAt(role, layer, kvHead, position); });
}

void RoleChanges::addTo(RolePlan& plan) const {
  // They wait until another policy is chosen.
  if (!has_roles(plan.policy)) return;
  if (window) plan.window = window;
  if (roles) plan.roles = *roles;
  plan.forced.insert(plan.forced.end(), forced.begin(), forced.end());
}

QString RoleChanges::inWords() const {
  QStringList parts;
  if (window) parts << tr("W %1").arg(groupedNumber(*window));
  if (roles) parts << tr("roles of %1").arg(QFileInfo(rolesFile).fileName());
  if (hadOtherRoles) parts << tr("roles of a file");
  if (forced.size() == 1) parts << tr("1 role set by hand");
  if (forced.size() > 1)
    parts << tr("%1 roles set by hand").arg(groupedNumber(static_cast<std::int64_t>(forced.size())));
  return parts.join(QStringLiteral(" · "));
}

QStringList RoleChanges::commandWords() const {
  QStringList words;
  if (window) words << QStringLiteral("--window") << QString::number(*window);
  if (!rolesFile.isEmpty()) words << QStringLiteral("--roles") << rolesFile;
  for (const ForcedRole& role : forced) {
    words << QStringLiteral("--force") << QString::fromStdString(to_string(role));
  }
  return words;
}

bool operator==(const RoleChanges& a, const RoleChanges& b) {
  const auto sorted = [](std::vector<ForcedRole> roles) {
    std::ranges::sort(roles, {}, place);
    return roles;
  };
  return a.window == b.window && a.roles == b.roles && a.hadOtherRoles == b.hadOtherRoles &&
         a.forced.size() == b.forced.size() && sorted(a.forced) == sorted(b.forced);
}

}  // namespace natscope::ui
