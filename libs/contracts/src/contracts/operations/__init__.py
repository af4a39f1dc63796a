"""Questions by topic; `contracts.rpc.OPERATIONS` lists every one."""
