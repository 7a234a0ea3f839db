// What an answer is, the compiler knows; what it is not, it refuses.
import type { ResultOf, VariablesOf } from "@graphql-typed-document-node/core";
import { BuildsWeekByWeekQueryDocument, ByIdQueryDocument, PageByPageQueryDocument } from "./generated/graphql";
import type { BuildStatus } from "./generated/graphql";

type Groups = ResultOf<typeof BuildsWeekByWeekQueryDocument>["builds"]["groupBy"];
export const counted = (groups: Groups): Map<string, number> =>
  new Map(groups.map(({ keys, count }) => [`${keys.week} ${keys.status satisfies BuildStatus | null | undefined}`, count]));

export const cursor = ({ builds }: ResultOf<typeof PageByPageQueryDocument>): string | null | undefined =>
  builds.pageInfo.endCursor;

// @ts-expect-error A spec has no status: it is asked of builds alone.
export const status = ({ spec }: ResultOf<typeof ByIdQueryDocument>): BuildStatus => spec.status;

export const none: VariablesOf<typeof ByIdQueryDocument> = {};
