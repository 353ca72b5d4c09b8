"""What people and automation do, and what attackers do.  Data only.

A task is what somebody sits down to do: operations that belong to it, and
operations that sometimes do.  A job says how often (days a week, sittings with
operations of Identity and Access Management a day of activity, both means) and
which tasks, by weight.  A technique of an attack is a chain of operations; an
exclamation mark is before one that is denied.  Operations are SERVICE:OPERATION,
as the catalogue has them.

Names and operations of most AWS techniques are those that the documentation of
Stratus Red Team (Apache-2.0) lists; the rest follow public reports of incidents.
"""


def task(always, sometimes=""):
    return always.split(), sometimes.split()


def job(days_a_week, sittings, **weights):
    return days_a_week, sittings, weights


def technique(operations):
    return operations.split()


AWS_TASKS = {
    "role": task("iam:CreateRole iam:AttachRolePolicy",
                 "iam:PutRolePolicy iam:TagRole iam:CreatePolicy iam:CreateInstanceProfile "
                 "iam:AddRoleToInstanceProfile"),
    "roledel": task("iam:DetachRolePolicy iam:DeleteRole",
                    "iam:DeleteRolePolicy iam:DeletePolicy iam:RemoveRoleFromInstanceProfile "
                    "iam:DeleteInstanceProfile"),
    "policy": task("iam:CreatePolicyVersion",
                   "iam:DeletePolicyVersion iam:SetDefaultPolicyVersion iam:TagPolicy"),
    "inline": task("iam:PutRolePolicy",
                   "iam:DeleteRolePolicy iam:PutUserPolicy iam:PutGroupPolicy"),
    "trust": task("iam:UpdateAssumeRolePolicy",
                  "iam:UpdateRole iam:UpdateRoleDescription iam:TagRole"),
    "onboard": task("iam:CreateUser iam:AddUserToGroup",
                    "iam:CreateLoginProfile iam:CreateAccessKey iam:AttachUserPolicy iam:TagUser "
                    "iam:PutUserPermissionsBoundary"),
    "offboard": task("iam:DeleteAccessKey iam:DeleteUser",
                     "iam:DeleteLoginProfile iam:RemoveUserFromGroup iam:DeactivateMFADevice "
                     "iam:DetachUserPolicy iam:DeleteUserPolicy iam:UpdateAccessKey"),
    "rotate": task("iam:CreateAccessKey iam:UpdateAccessKey iam:DeleteAccessKey"),
    "reset": task("iam:UpdateLoginProfile",
                  "iam:DeactivateMFADevice iam:ResyncMFADevice iam:CreateLoginProfile "
                  "iam:DeleteVirtualMFADevice"),
    "self": task("iam:ChangePassword",
                 "iam:CreateVirtualMFADevice iam:EnableMFADevice iam:CreateAccessKey iam:UploadSSHPublicKey"),
    "oidc": task("iam:CreateOpenIDConnectProvider",
                 "iam:UpdateOpenIDConnectProviderThumbprint iam:AddClientIDToOpenIDConnectProvider "
                 "iam:TagOpenIDConnectProvider"),
    "saml": task("iam:UpdateSAMLProvider",
                 "iam:CreateSAMLProvider iam:TagSAMLProvider"),
    "slr": task("iam:CreateServiceLinkedRole"),
    "bucket": task("s3:PutBucketPolicy",
                   "s3:DeleteBucketPolicy s3:PutBucketAcl s3:PutBucketPublicAccessBlock"),
    "kms": task("kms:CreateGrant",
                "kms:RetireGrant kms:RevokeGrant"),
    "kmspol": task("kms:PutKeyPolicy",
                   "kms:CreateGrant"),
    "ecr": task("ecr:SetRepositoryPolicy",
                "ecr:DeleteRepositoryPolicy"),
    "queue": task("sqs:AddPermission sns:AddPermission",
                  "sqs:RemovePermission sns:RemovePermission"),
    "secret": task("secretsmanager:PutResourcePolicy",
                   "secretsmanager:DeleteResourcePolicy"),
    "sso": task("sso:CreateAccountAssignment",
                "sso:DeleteAccountAssignment sso:ProvisionPermissionSet sso:CreatePermissionSet "
                "sso:AttachManagedPolicyToPermissionSet sso:PutInlinePolicyToPermissionSet"),
    "scim": task("identitystore:CreateUser identitystore:CreateGroupMembership",
                 "identitystore:DeleteUser identitystore:DeleteGroupMembership identitystore:CreateGroup "
                 "identitystore:UpdateUser"),
    "org": task("organizations:AttachPolicy",
                "organizations:CreatePolicy organizations:UpdatePolicy organizations:CreateAccount "
                "organizations:MoveAccount organizations:DetachPolicy"),
    "ram": task("ram:CreateResourceShare",
                "ram:AssociateResourceShare ram:DisassociateResourceShare ram:UpdateResourceShare "
                "ram:AcceptResourceShareInvitation"),
    "share": task("ec2:ModifySnapshotAttribute",
                  "ec2:ModifyImageAttribute rds:ModifyDBSnapshotAttribute"),
    "eks": task("eks:CreateAccessEntry eks:AssociateAccessPolicy",
                "eks:UpdateAccessEntry eks:DeleteAccessEntry eks:DisassociateAccessPolicy"),
    "cognito": task("cognito-idp:AdminCreateUser",
                    "cognito-idp:AdminSetUserPassword cognito-idp:AdminAddUserToGroup "
                    "cognito-idp:AdminDeleteUser cognito-idp:UpdateUserPoolClient cognito-idp:AdminDisableUser"),
    "connect": task("ec2-instance-connect:SendSSHPublicKey"),
    "ssmshare": task("ssm:ModifyDocumentPermission",
                     "ssm:PutResourcePolicy"),
    "anywhere": task("rolesanywhere:CreateProfile",
                     "rolesanywhere:UpdateProfile rolesanywhere:CreateTrustAnchor"),
    "pwpolicy": task("iam:UpdateAccountPasswordPolicy",
                     "iam:CreateAccountAlias"),
    "cert": task("iam:UploadServerCertificate",
                 "iam:DeleteServerCertificate iam:UpdateServerCertificate"),
    "boundary": task("iam:PutRolePermissionsBoundary",
                     "iam:DeleteRolePermissionsBoundary"),
    "group": task("iam:AddUserToGroup",
                  "iam:RemoveUserFromGroup iam:CreateGroup iam:AttachGroupPolicy iam:PutGroupPolicy"),
    "lambda_": task("lambda:AddPermission20150331v2",
                    "lambda:RemovePermission20150331v2"),
}

GCP_TASKS = {
    "proj": task("cloudresourcemanager.googleapis.com:SetIamPolicy"),
    "sa": task("iam.googleapis.com:google.iam.admin.v1.CreateServiceAccount",
               "iam.googleapis.com:google.iam.admin.v1.SetIAMPolicy "
               "iam.googleapis.com:google.iam.admin.v1.PatchServiceAccount "
               "cloudresourcemanager.googleapis.com:SetIamPolicy"),
    "sadel": task("iam.googleapis.com:google.iam.admin.v1.DeleteServiceAccount",
                  "iam.googleapis.com:google.iam.admin.v1.DisableServiceAccount "
                  "iam.googleapis.com:google.iam.admin.v1.DeleteServiceAccountKey"),
    "key": task("iam.googleapis.com:google.iam.admin.v1.CreateServiceAccountKey",
                "iam.googleapis.com:google.iam.admin.v1.DeleteServiceAccountKey"),
    "role": task("iam.googleapis.com:google.iam.admin.v1.UpdateRole",
                 "iam.googleapis.com:google.iam.admin.v1.CreateRole "
                 "iam.googleapis.com:google.iam.admin.v1.DeleteRole"),
    "bucket": task("storage.googleapis.com:storage.setIamPermissions"),
    "sapol": task("iam.googleapis.com:google.iam.admin.v1.SetIAMPolicy"),
    "wif": task("iam.googleapis.com:google.iam.v1.WorkloadIdentityPools.CreateWorkloadIdentityPoolProvider",
                "iam.googleapis.com:google.iam.v1.WorkloadIdentityPools.CreateWorkloadIdentityPool "
                "iam.googleapis.com:google.iam.v1.WorkloadIdentityPools.UpdateWorkloadIdentityPoolProvider"),
    "k8s": task("k8s.io:io.k8s.authorization.rbac.v1.rolebindings.create",
                "k8s.io:io.k8s.authorization.rbac.v1.clusterrolebindings.create "
                "k8s.io:io.k8s.authorization.rbac.v1.roles.create "
                "k8s.io:io.k8s.authorization.rbac.v1.rolebindings.patch"),
    "sql": task("cloudsql.googleapis.com:cloudsql.users.create",
                "cloudsql.googleapis.com:cloudsql.users.update cloudsql.googleapis.com:cloudsql.users.delete"),
    "apikey": task("apikeys.googleapis.com:google.api.apikeys.v2.ApiKeys.CreateKey",
                   "apikeys.googleapis.com:google.api.apikeys.v2.ApiKeys.UpdateKey "
                   "apikeys.googleapis.com:google.api.apikeys.v2.ApiKeys.DeleteKey"),
    "orgpol": task("orgpolicy.googleapis.com:google.cloud.orgpolicy.v2.OrgPolicy.UpdatePolicy",
                   "orgpolicy.googleapis.com:google.cloud.orgpolicy.v2.OrgPolicy.CreatePolicy"),
    "oslogin": task("oslogin.googleapis.com:google.cloud.oslogin.v1.OsLoginService.ImportSshPublicKey"),
    "secretpol": task("secretmanager.googleapis.com:google.cloud.secretmanager.v1.SecretManagerService.SetIamPolicy"),
    "pubsub": task("pubsub.googleapis.com:google.iam.v1.IAMPolicy.SetIamPolicy"),
    "kms": task("cloudkms.googleapis.com:SetIamPolicy"),
    "vm": task("compute.googleapis.com:v1.compute.instances.setServiceAccount",
               "compute.googleapis.com:v1.compute.instances.setMetadata "
               "compute.googleapis.com:v1.compute.projects.setCommonInstanceMetadata"),
}

AWS_JOBS = {
    "platform": job(4.3, 0.7, role=6, policy=5, roledel=3, trust=3, inline=3, kmspol=2, bucket=3, slr=1, oidc=1,
                    boundary=1, org=1, ram=1, eks=2, secret=1, ecr=1),
    "security": job(4.2, 0.5, policy=4, trust=2, offboard=3, reset=2, pwpolicy=0.5, org=2, saml=0.5, rotate=2,
                    boundary=2, kmspol=2, sso=2, share=0.5),
    "helpdesk": job(4.6, 1.2, onboard=5, offboard=4, reset=6, group=5, sso=4, rotate=1),
    "sre": job(4.4, 0.22, role=2, inline=2, policy=2, lambda_=2, eks=3, connect=4, kms=1, bucket=2, share=1,
               trust=1, queue=1),
    "dev": job(4.2, 0.035, role=2, inline=1, lambda_=3, bucket=2, self=3, connect=2, queue=1, kms=1, rotate=1, ecr=1),
    "data": job(4.0, 0.05, bucket=4, share=2, ram=1, kms=2, self=2, secret=1, role=1),
    "auditor": job(1.5, 0.004, self=1),
    "legacy": job(5.5, 0.006, bucket=2, rotate=1, self=1),
}

GCP_JOBS = {
    "platform": job(4.3, 0.7, proj=6, sa=4, key=2, role=2, bucket=3, sapol=3, wif=1, orgpol=1, k8s=2, kms=1,
                    secretpol=2, sadel=1, pubsub=1),
    "security": job(4.2, 0.45, role=3, orgpol=3, sadel=2, key=2, proj=3, kms=1, wif=1),
    "helpdesk": job(4.6, 0.6, proj=5, sql=2, oslogin=2, sapol=1),
    "sre": job(4.4, 0.22, k8s=4, proj=2, vm=3, sql=2, pubsub=2, bucket=1, oslogin=2),
    "dev": job(4.2, 0.04, bucket=3, key=2, pubsub=2, k8s=2, apikey=2, oslogin=2, secretpol=1),
    "data": job(4.0, 0.05, bucket=5, sql=2, pubsub=2, proj=1),
    "auditor": job(1.5, 0.004, oslogin=1),
    "legacy": job(5.5, 0.01, bucket=2, key=1),
}

AWS_ATTACKS = {
    "ec2-instance-connect": technique("ec2-instance-connect:SendSSHPublicKey"),
    "iam-backdoor-role": technique("iam:UpdateAssumeRolePolicy"),
    "iam-backdoor-user": technique("iam:CreateAccessKey"),
    "iam-create-admin-user": technique("iam:CreateUser iam:AttachUserPolicy iam:CreateAccessKey"),
    "iam-create-backdoor-role": technique("iam:CreateRole iam:AttachRolePolicy"),
    "iam-create-user-login-profile": technique("!iam:DeleteLoginProfile iam:CreateLoginProfile"),
    "lambda-backdoor-function": technique("lambda:AddPermission20150331v2"),
    "sts-federation-token": technique("sts:GetFederationToken"),
    "organizations-leave": technique("!organizations:LeaveOrganization"),
    "ec2-share-ami": technique("ec2:ModifyImageAttribute"),
    "ec2-share-ebs-snapshot": technique("ec2:ModifySnapshotAttribute"),
    "rds-share-snapshot": technique("rds:ModifyDBSnapshotAttribute"),
    "serial-console": technique("ec2-instance-connect:SendSerialConsoleSSHPublicKey"),
    "rolesanywhere-trust-anchor": technique("rolesanywhere:CreateTrustAnchor rolesanywhere:CreateProfile"),
    "iam-update-login-profile": technique("iam:UpdateLoginProfile"),
    "s3-backdoor-bucket-policy": technique("s3:PutBucketPolicy"),
    "policy-version": technique("iam:CreatePolicyVersion"),
    "inline-admin": technique("iam:PutUserPolicy"),
    "group-admin": technique("iam:AddUserToGroup"),
    "mfa-off": technique("iam:DeactivateMFADevice"),
    "oidc-backdoor": technique("iam:CreateOpenIDConnectProvider iam:CreateRole"),
}

GCP_ATTACKS = {
    "project-owner": technique("cloudresourcemanager.googleapis.com:SetIamPolicy"),
    "invite-owner": technique("cloudresourcemanager.googleapis.com:InsertProjectOwnershipInvite"),
    "admin-service-account": technique("iam.googleapis.com:google.iam.admin.v1.CreateServiceAccount "
                                       "cloudresourcemanager.googleapis.com:SetIamPolicy"),
    "service-account-key": technique("iam.googleapis.com:google.iam.admin.v1.CreateServiceAccountKey"),
    "impersonate": technique("iam.googleapis.com:google.iam.admin.v1.SetIAMPolicy"),
    "role-update": technique("iam.googleapis.com:google.iam.admin.v1.UpdateRole"),
    "bucket-public": technique("storage.googleapis.com:storage.setIamPermissions"),
    "workload-identity": technique(
        "iam.googleapis.com:google.iam.v1.WorkloadIdentityPools.CreateWorkloadIdentityPool "
        "iam.googleapis.com:google.iam.v1.WorkloadIdentityPools.CreateWorkloadIdentityPoolProvider"),
    "metadata-key": technique("compute.googleapis.com:v1.compute.projects.setCommonInstanceMetadata"),
    "cluster-admin": technique("k8s.io:io.k8s.authorization.rbac.v1.clusterrolebindings.create"),
}
